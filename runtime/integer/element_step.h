// An epilogue on a tensor that some other step made.
#pragma once

#include <memory>

#include "lathe/runtime/integer/step.h"

namespace lathe::runtime::integer {

// The source may hold floats, sums (to which the epilogue's scale applies) or quantised elements
// (which become q - offset first). `result`: the shape of the source and of the results.
std::unique_ptr<Step> MakeElementStep(TensorId source, TensorInfo result,
                                      std::shared_ptr<Epilogue> epilogue);

}  // namespace lathe::runtime::integer
