// Which layers of a net run when it is used.
#pragma once

#include "lathe/frontends/caffe/internal/net.h"

namespace lathe::frontends::caffe {

// Removes the layers that Caffe leaves out of phase TEST: by their include and exclude rules, with
// level and stages as the net's state says. O(layers · rules). Errors: a layer with both kinds of
// rules.
Status ChooseLayers(Net& net);

// Losses, Accuracy and what else only training and its tests need.
bool IsTrainingOnly(std::string_view type);

// Layers that read data for the net: their tops are what a user feeds.
bool IsDataLayer(std::string_view type);

// Layers whose tops are their bottom: Split, and Dropout where it was scaled in training.
bool IsIdentity(const proto::LayerParameter& layer);

}  // namespace lathe::frontends::caffe
