#include "lathe/passes/instrument/verify_each.h"

namespace lathe::passes {

Status VerifyEach::AfterPass(const PassPoint& point, const PassReport& /*report*/) {
  Status valid = check_(point.model);
  if (valid.ok()) return valid;
  return InternalError("leaves a broken model: {}", FormatError(valid));
}

}  // namespace lathe::passes
