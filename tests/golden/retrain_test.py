"""One case of quantisation-aware training, through the driver.

    python retrain_test.py LATHE SOURCE_FOLDER WORK_FOLDER CASE
    python retrain_test.py LATHE SOURCE_FOLDER WORK_FOLDER --listed CASE...
"""
from golden_case import *


class Retrain(GoldenTest):
    def test_config(self):
        cfg = self.case / "quant.cfg"
        config = WORK / "config.json"
        self.run_lathe("config", "qat", self.case / "original.onnx", "-o", config,
                       *(["--cfg", cfg] if cfg.exists() else []))  # fmt: skip
        self.same("config", "config.json", config)
        self.same_bytes(self.case / "config.json", config)


if __name__ == "__main__":
    main("qat")
