// A shared library that has nothing to do with Lathe.
int Unrelated() { return 1; }
