// Rounding weights so that the layer's output changes little, in one sweep: each weight is rounded
// after the errors of those before it are taken into account (known as optimal brain quantisation,
// or GPTQ). No iterations and no chance are in it, unlike AdaRound (ada_round.h).
#pragma once

#include <cstdint>
#include <span>

#include "lathe/support/status.h"
#include "lathe/support/thread_pool.h"

namespace lathe::quant {

// `weights` [rows, columns] become integers times the scale of their row (`scales`: one for all or
// one a row). `moments` [columns, columns], symmetric, is the mean product of what each two columns
// meet; the sweep makes e M e^T of a row's errors e small, column by column from the largest
// diagonal element on. The diagonal is raised by a hundredth before, so that data of few directions
// does not move weights far. Columns that meet nothing but zeros are rounded to nearest. The result
// does not depend on the number of threads. Costs columns^3 / 3 and rows * columns^2 / 2
// multiplications; memory: columns^2 doubles. Errors: sizes that do not fit; a width outside 4..8;
// a scale that is not positive and finite; a weight or a moment that is not finite.
Status RoundBySecondMoments(std::span<float> weights, std::span<const float> scales,
                            std::span<const double> moments, int num_bits, ThreadPool& pool);

}  // namespace lathe::quant
