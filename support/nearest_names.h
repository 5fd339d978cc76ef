// "Did you mean ...?" for a name that does not exist.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lathe {

// The at most `limit` names nearest to `wanted`, nearest first, names equally near in the order
// given. Near is an edit distance (insert, delete, replace one byte; upper and lower case count as
// equal) of at most a third of the longer name (at least 2), or that one name contains the other,
// as `conv1` and `layer1.conv1` do. Never `wanted` itself. Costs the product of the lengths for
// each name of similar length.
std::vector<std::string_view> NearestNames(std::string_view wanted,
                                           std::span<const std::string_view> names,
                                           size_t limit = 3);

// "did you mean 'a', 'b' or 'c'?", or nothing when no name is near.
std::string DidYouMean(std::string_view wanted, std::span<const std::string_view> names);

}  // namespace lathe
