// SSD's last layer in standard operators: boxes are decoded, the best of each class are kept where
// they do not overlap better ones, and of these the best of each image. Rows are (image, class,
// score, x1, y1, x2, y2), by image, then class, then score; without a detection there are none.
#include <algorithm>
#include <limits>

#include "lathe/frontends/caffe/internal/layers.h"

namespace lathe::frontends::caffe {
namespace {

using proto::PriorBoxParameter;

constexpr int64_t kFloat = static_cast<int64_t>(ir::ElementType::kFloat32);

struct Settings {
  int64_t classes = 0;
  int64_t background = 0;
  // Of -1: all.
  int64_t top_k = -1;
  int64_t keep_top_k = -1;
  bool variance_in_target = false;
  int code_type = PriorBoxParameter::CORNER;
  float overlap = 0;
  // Absent: every score counts.
  float confidence = std::numeric_limits<float>::lowest();
};

class Writer {
 public:
  Writer(LayerBuilder& builder, const Settings& settings) : builder_(builder), settings_(settings) {
    const int64_t all = settings.classes;
    for (int64_t label = 0; label < all; ++label) {
      if (label != settings.background) labels_.push_back(label);
    }
  }

  Status Write() {
    LATHE_RETURN_IF_ERROR(Check());
    const auto classes = static_cast<int64_t>(labels_.size());
    // How many of a class are looked at: scores and places are [N, classes, each].
    each_ = settings_.top_k < 0 ? priors_ : std::min(settings_.top_k, priors_);
    ir::Value* boxes = Decode();
    const std::vector<ir::Value*> best = builder_.AddSeveral(
        "best", {"TopK", {Scores(), builder_.Ints("top_k", {each_})}, {{"axis", int64_t{2}}}}, 2);
    ir::Value* scores = best[0];
    ir::Value* places = builder_.Add("places", {"Unsqueeze", {best[1], Ints("last", {3})}});
    // [N, classes, each, 4].
    ir::Value* corners =
        builder_.Add("corners", {"GatherND", {boxes, places}, {{"batch_dims", int64_t{1}}}});
    ir::Value* kept = Kept(scores, Suppress(scores, corners));
    if (settings_.keep_top_k >= 0) kept = Best(kept, classes * each_);
    return Rows(kept, scores, corners);
  }

 private:
  ir::Value* Ints(std::string_view part, const std::vector<int64_t>& values) {
    return builder_.Ints(part, values);
  }
  ir::Value* Binary(std::string_view part, std::string_view op, ir::Value* a, ir::Value* b) {
    return builder_.Add(part, {std::string(op), {a, b}});
  }
  ir::Value* Reshape(std::string_view part, ir::Value* value, const std::vector<int64_t>& shape) {
    return builder_.Add(part, {"Reshape", {value, Ints(fmt::format("{}_shape", part), shape)}});
  }

  Status Check() {
    const Dims& locations = builder_.bottom(0).dims;
    const Dims& confidences = builder_.bottom(1).dims;
    const Dims& priors = builder_.bottom(2).dims;
    for (size_t i = 0; i < 2; ++i) LATHE_RETURN_IF_ERROR(builder_.RequireKnown(i, 1));
    const bool fits = !locations.empty() && !confidences.empty() && priors.size() == 3 &&
                      priors[0] == 1 && priors[1] == 2 && priors[2] > 0 && priors[2] % 4 == 0;
    priors_ = fits ? priors[2] / 4 : 0;
    if (!fits || CountOf(locations, 1, locations.size()) != priors_ * 4 ||
        CountOf(confidences, 1, confidences.size()) != priors_ * settings_.classes) {
      return InvalidInput("bottoms {}, {} and {} do not fit with {} classes", DimsText(locations),
                          DimsText(confidences), DimsText(priors), settings_.classes);
    }
    return OkStatus();
  }

  // Four columns of [..., 4].
  std::vector<ir::Value*> Columns(std::string_view part, ir::Value* value) {
    return builder_.AddSeveral(part, {"Split", {value}, {{"axis", int64_t{-1}}}}, 4);
  }

  // [N, priors, 4]: corners.
  ir::Value* Decode() {
    ir::Value* location = Reshape("location", builder_.bottom(0).value, {-1, priors_, 4});
    const std::vector<ir::Value*> prior_parts =
        builder_.AddSeveral("prior_parts",
                            {"Split",
                             {Reshape("prior", builder_.bottom(2).value, {2, priors_, 4})},
                             {{"axis", int64_t{0}}}},
                            2);
    if (!settings_.variance_in_target) {
      location = Binary("scaled", "Mul", location, prior_parts[1]);
    }
    if (settings_.code_type == PriorBoxParameter::CORNER) {
      return Binary("decoded", "Add", prior_parts[0], location);
    }
    const std::vector<ir::Value*> prior = Columns("prior_corner", prior_parts[0]);
    ir::Value* width = Binary("prior_width", "Sub", prior[2], prior[0]);
    ir::Value* height = Binary("prior_height", "Sub", prior[3], prior[1]);
    if (settings_.code_type == PriorBoxParameter::CORNER_SIZE) {
      ir::Value* size = builder_.Add(
          "prior_size", {"Concat", {width, height, width, height}, {{"axis", int64_t{-1}}}});
      return Binary("decoded", "Add", prior_parts[0], Binary("moved", "Mul", location, size));
    }
    return DecodeCentres(Columns("code", location), prior, width, height);
  }

  // Codes are the offset of the centre and the logarithm of the size, both in sizes of the prior.
  ir::Value* DecodeCentres(const std::vector<ir::Value*>& code,
                           const std::vector<ir::Value*>& prior, ir::Value* prior_width,
                           ir::Value* prior_height) {
    ir::Value* half = builder_.Scalar("half", 0.5F);
    std::vector<ir::Value*> low;
    std::vector<ir::Value*> high;
    for (const size_t axis : {0, 1}) {
      const std::string xy = axis == 0 ? "x" : "y";
      ir::Value* size = axis == 0 ? prior_width : prior_height;
      ir::Value* sum = Binary("sum_" + xy, "Add", prior[axis], prior[axis + 2]);
      ir::Value* middle = Binary("middle_" + xy, "Mul", sum, half);
      ir::Value* offset = Binary("offset_" + xy, "Mul", code[axis], size);
      ir::Value* centre = Binary("centre_" + xy, "Add", offset, middle);
      ir::Value* growth = builder_.Add("exp_" + xy, {"Exp", {code[axis + 2]}});
      ir::Value* grown = Binary("size_" + xy, "Mul", growth, size);
      ir::Value* reach = Binary("reach_" + xy, "Mul", grown, half);
      low.push_back(Binary("low_" + xy, "Sub", centre, reach));
      high.push_back(Binary("high_" + xy, "Add", centre, reach));
    }
    return builder_.Add("decoded",
                        {"Concat", {low[0], low[1], high[0], high[1]}, {{"axis", int64_t{-1}}}});
  }

  // [N, classes, priors], without the background.
  ir::Value* Scores() {
    ir::Value* by_prior =
        Reshape("confidence", builder_.bottom(1).value, {-1, priors_, settings_.classes});
    const std::vector<int64_t> order = {0, 2, 1};
    ir::Value* by_class = builder_.Add("by_class", {"Transpose", {by_prior}, {{"perm", order}}});
    if (static_cast<int64_t>(labels_.size()) == settings_.classes) return by_class;
    return builder_.Add("scores",
                        {"Gather", {by_class, Ints("labels", labels_)}, {{"axis", int64_t{1}}}});
  }

  // Numbers of what stays, as places in [N · classes · each].
  ir::Value* Suppress(ir::Value* scores, ir::Value* corners) {
    // Each class of each image is a batch of its own.
    ir::Value* selected =
        builder_.Add("nms", {"NonMaxSuppression",
                             {Reshape("nms_boxes", corners, {-1, each_, 4}),
                              Reshape("nms_scores", scores, {-1, 1, each_}),
                              Ints("nms_most", {each_}), Vector("nms_overlap", settings_.overlap),
                              Vector("nms_confidence", settings_.confidence)}});
    ir::Value* batch = Column("nms_batch", selected, 0);
    ir::Value* place = Column("nms_place", selected, 2);
    ir::Value* start = Binary("nms_start", "Mul", batch, Ints("nms_each", {each_}));
    return Binary("nms_number", "Add", start, place);
  }

  ir::Value* Vector(std::string_view part, float value) {
    return builder_.Constant(part, ir::Tensor::Of<float>({1}, std::span<const float>(&value, 1)));
  }

  ir::Value* Column(std::string_view part, ir::Value* table, int64_t column) {
    return builder_.Add(
        part,
        {"Gather", {table, Ints(fmt::format("{}_at", part), {column})}, {{"axis", int64_t{1}}}});
  }

  // Minus infinity in the shape of `like`.
  ir::Value* Nothing(std::string_view part, ir::Value* like) {
    const float nothing = -std::numeric_limits<float>::infinity();
    const ir::Tensor value = ir::Tensor::Of<float>({1}, std::span<const float>(&nothing, 1));
    ir::Value* shape = builder_.Add(fmt::format("{}_shape", part), {"Shape", {like}});
    return builder_.Add(part, {"ConstantOfShape", {shape}, {{"value", value}}});
  }

  // The scores of what stays, minus infinity elsewhere: [N, classes, each].
  ir::Value* Kept(ir::Value* scores, ir::Value* numbers) {
    ir::Value* flat = Reshape("flat", scores, {-1});
    ir::Value* values = builder_.Add("values", {"GatherND", {flat, numbers}});
    ir::Value* kept =
        builder_.Add("scatter", {"ScatterND", {Nothing("empty", flat), numbers, values}});
    ir::Value* shape = builder_.Add("scores_shape", {"Shape", {scores}});
    return builder_.Add("kept", {"Reshape", {kept, shape}});
  }

  // Of each image the best keep_top_k.
  ir::Value* Best(ir::Value* kept, int64_t an_image) {
    const int64_t most = std::min(settings_.keep_top_k, an_image);
    ir::Value* by_image = Reshape("by_image", kept, {-1, an_image});
    const std::vector<ir::Value*> best = builder_.AddSeveral(
        "image_best", {"TopK", {by_image, Ints("keep_top_k", {most})}, {{"axis", int64_t{1}}}}, 2);
    ir::Value* empty = Nothing("image_empty", by_image);
    ir::Value* chosen = builder_.Add(
        "image_kept", {"ScatterElements", {empty, best[1], best[0]}, {{"axis", int64_t{1}}}});
    return Reshape("image_scores", chosen, {-1, static_cast<int64_t>(labels_.size()), each_});
  }

  Status Rows(ir::Value* kept, ir::Value* scores, ir::Value* corners) {
    ir::Value* nothing = builder_.Scalar("nothing", std::numeric_limits<float>::lowest());
    ir::Value* found = Binary("found", "Greater", kept, nothing);
    ir::Value* columns = builder_.Add("nonzero", {"NonZero", {found}});
    const std::vector<int64_t> order = {1, 0};
    // [M, 3]: image, class, place; in this order.
    ir::Value* numbers = builder_.Add("numbers", {"Transpose", {columns}, {{"perm", order}}});
    ir::Value* image = Float("image", Column("image_number", numbers, 0));
    ir::Value* index = Column("class_number", numbers, 1);
    ir::Value* label = Float(
        "label", builder_.Add("label_number", {"Gather", {Ints("label_of", labels_), index}}));
    ir::Value* score = builder_.Add(
        "score_column",
        {"Unsqueeze", {builder_.Add("score", {"GatherND", {scores, numbers}}), Ints("one", {1})}});
    ir::Value* corner = builder_.Add("corner", {"GatherND", {corners, numbers}});
    ir::Value* rows =
        builder_.Add("rows", {"Concat", {image, label, score, corner}, {{"axis", int64_t{1}}}});
    return builder_.Finish({"Unsqueeze", {rows, Ints("front", {0, 1})}}, Dims{1, 1, kFree, 7});
  }

  ir::Value* Float(std::string_view part, ir::Value* value) {
    return builder_.Add(part, {"Cast", {value}, {{"to", kFloat}}});
  }

  LayerBuilder& builder_;
  Settings settings_;
  // Of all classes but the background.
  std::vector<int64_t> labels_;
  int64_t priors_ = 0;
  int64_t each_ = 0;
};

Status WriteDetections(LayerBuilder& builder, const Settings& settings, bool share_location,
                       float eta) {
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(3, 4, 1, 1));
  constexpr int64_t kMostClasses = 1 << 16;
  if (settings.classes < 1 || settings.classes > kMostClasses ||
      (settings.classes == 1 && settings.background == 0)) {
    return InvalidInput("num_classes is {}", settings.classes);
  }
  if (!share_location) return Unsupported("has boxes for each class (share_location: false)");
  if (eta != 1) return Unsupported("changes its threshold as it goes (eta is {})", eta);
  if (settings.code_type < PriorBoxParameter::CORNER ||
      settings.code_type > PriorBoxParameter::CORNER_SIZE) {
    return InvalidInput("code_type is {}", settings.code_type);
  }
  if (!(settings.overlap >= 0 && settings.overlap <= 1)) {
    return InvalidInput("the threshold of overlaps is {}", settings.overlap);
  }
  if (settings.top_k == 0 || settings.keep_top_k == 0) return InvalidInput("keeps 0 detections");
  return Writer(builder, settings).Write();
}

}  // namespace

Status DetectionOutput(LayerBuilder& builder) {
  const proto::DetectionOutputParameter& param = builder.param().detection_output_param();
  const proto::NonMaximumSuppressionParameter& nms = param.nms_param();
  Settings settings{.classes = param.num_classes(),
                    .background = param.background_label_id(),
                    .top_k = nms.has_top_k() ? nms.top_k() : -1,
                    .keep_top_k = param.keep_top_k(),
                    .variance_in_target = param.variance_encoded_in_target(),
                    .code_type = param.code_type(),
                    .overlap = nms.nms_threshold()};
  if (param.has_confidence_threshold()) settings.confidence = param.confidence_threshold();
  return WriteDetections(builder, settings, param.share_location(), nms.eta());
}

Status SsdDetectionOutput(LayerBuilder& builder) {
  const proto::SSDDetectionOutputParameter& param = builder.param().ssddetectionoutput_param();
  const Settings settings{.classes = param.num_classes(),
                          .background = param.background_label_id(),
                          .top_k = param.top_k(),
                          .keep_top_k = param.keep_top_k(),
                          .variance_in_target = param.variance_encoded_in_target(),
                          .code_type = param.code_type(),
                          .overlap = param.iou_threshold(),
                          .confidence = param.confidence_threshold()};
  return WriteDetections(builder, settings, param.share_location(), param.eta());
}

}  // namespace lathe::frontends::caffe
