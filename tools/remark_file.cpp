#include "lathe/tools/remark_file.h"

#include "lathe/support/atomic_file.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {

Status RemarkFile::RunEnds(const passes::PipelineReport& report, const Status& /*outcome*/) {
  std::string lines;
  for (const passes::PassReport& pass : report.passes) {
    for (const passes::Remark& remark : pass.remarks) {
      const Json line = {{"position", pass.position},
                         {"pass", remark.pass},
                         {"kind", RemarkKindText(remark.kind)},
                         {"node", remark.node},
                         {"message", remark.message}};
      lines += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    }
  }
  return WriteFileAtomically(path_, lines);
}

}  // namespace lathe::tools
