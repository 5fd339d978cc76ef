// Remarks: what a pass did or did not do to a node, and why. Passes never print.
#pragma once

#include <string>

namespace lathe::passes {

struct Remark {
  enum class Kind {
    kApplied,  // a rewrite was done
    kMissed,   // a rewrite was looked at and refused; the message says why
    kFailed,   // a rewrite that should have been possible was not, or the pass failed
    kNote,     // something the user should know
  };
  Kind kind = Kind::kApplied;
  std::string pass;
  std::string node;  // the node's display name; may be empty
  std::string message;
};

}  // namespace lathe::passes
