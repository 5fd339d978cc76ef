#include "lathe/bindings/python/src/passes.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include "lathe/bindings/python/src/border.h"
#include "lathe/bindings/python/src/model.h"
#include "lathe/passes/core/pass_manager.h"
#include "lathe/passes/instrument/verify_each.h"
#include "lathe/passes/pipelines/all_passes.h"

namespace lathe::python {
namespace {

using passes::Remark;

const char* KindText(Remark::Kind kind) {
  switch (kind) {
    case Remark::Kind::kApplied:
      return "applied";
    case Remark::Kind::kMissed:
      return "missed";
    case Remark::Kind::kFailed:
      return "failed";
    case Remark::Kind::kNote:
      return "note";
  }
  return "";
}

// Descriptors live as long as their registry.
const passes::PassRegistry& Registry() {
  static const passes::PassRegistry* const kRegistry = [] {
    auto* registry = new passes::PassRegistry;
    Check(passes::RegisterAllPasses(*registry));
    return registry;
  }();
  return *kRegistry;
}

std::vector<std::string> Strings(const std::vector<std::string_view>& views) {
  return {views.begin(), views.end()};
}

passes::PipelineReport RunOnModel(const Model& self, const std::string& pipeline,
                                  std::vector<std::string> assume, bool verify_each) {
  Call call;
  passes::VerifyEach verifier;
  passes::PassManagerOptions options;
  options.assume = std::move(assume);
  options.interrupted = [&call] { return call.Interrupted(); };
  if (verify_each) options.observers.push_back(&verifier);
  passes::PipelineReport report = call.Run([&]() -> StatusOr<passes::PipelineReport> {
    LATHE_ASSIGN_OR_RETURN(passes::Pipeline parsed, passes::Pipeline::Parse(pipeline, Registry()));
    LATHE_ASSIGN_OR_RETURN(
        passes::PassManager manager,
        passes::PassManager::Build(std::move(parsed), Registry(), *self.model, std::move(options)));
    auto ran = manager.Run();
    if (ran.ok() || self.path.empty()) return ran;
    return WithContext(ran.status(), ErrorContext::kFile, self.path);
  });
  const nb::object log = nb::module_::import_("lathe._report").attr("remark");
  for (const passes::PassReport& pass : report.passes) {
    for (const Remark& remark : pass.remarks) {
      log(KindText(remark.kind), remark.pass, remark.node, remark.message);
    }
  }
  return report;
}

void AddDescriptors(nb::module_& module) {
  nb::class_<passes::OptionDescriptor>(module, "PassOption", "An option of a pass.")
      .def_ro("name", &passes::OptionDescriptor::name)
      .def_ro("help", &passes::OptionDescriptor::help)
      .def_ro("default", &passes::OptionDescriptor::default_value);
  nb::class_<passes::PassDescriptor>(module, "Pass", "What a pass is.")
      .def_ro("name", &passes::PassDescriptor::name)
      .def_ro("summary", &passes::PassDescriptor::summary)
      .def_ro("description", &passes::PassDescriptor::description)
      .def_ro("options", &passes::PassDescriptor::options)
      .def_prop_ro("requires",
                   [](const passes::PassDescriptor& self) { return Strings(self.requires_facts); })
      .def_prop_ro("establishes",
                   [](const passes::PassDescriptor& self) { return Strings(self.establishes); })
      .def_prop_ro("preserves",
                   [](const passes::PassDescriptor& self) { return Strings(self.preserves); })
      .def("__repr__", [](const passes::PassDescriptor& self) {
        return nb::str("<lathe.Pass {!r}>").format(self.name);
      });
  nb::class_<passes::PipelineDescriptor>(module, "Pipeline", "A pipeline that has a name.")
      .def_ro("name", &passes::PipelineDescriptor::name)
      .def_ro("summary", &passes::PipelineDescriptor::summary)
      .def_ro("description", &passes::PipelineDescriptor::description)
      .def_ro("text", &passes::PipelineDescriptor::text)
      .def("__repr__", [](const passes::PipelineDescriptor& self) {
        return nb::str("<lathe.Pipeline {!r}>").format(self.name);
      });
}

void AddReports(nb::module_& module) {
  nb::class_<Remark>(module, "Remark", "What a pass did or did not do to a node, and why.")
      .def_prop_ro(
          "kind", [](const Remark& self) { return KindText(self.kind); },
          "\"applied\", \"missed\", \"failed\" or \"note\".")
      .def_ro("pass_name", &Remark::pass)
      .def_ro("node", &Remark::node)
      .def_ro("message", &Remark::message)
      .def("__repr__", [](const Remark& self) {
        return nb::str("<{} {}: {}: {}>")
            .format(KindText(self.kind), self.pass, self.node, self.message);
      });
  nb::class_<passes::PassReport>(module, "PassReport", "One run of a pass.")
      .def_ro("position", &passes::PassReport::position)
      .def_ro("pass_name", &passes::PassReport::pass)
      .def_ro("changed", &passes::PassReport::changed)
      .def_ro("seconds", &passes::PassReport::seconds)
      .def_ro("remarks", &passes::PassReport::remarks)
      .def_prop_ro(
          "statistics",
          [](const passes::PassReport& self) {
            nb::dict counts;
            for (const auto& [name, count] : self.statistics) counts[name.c_str()] = count;
            return counts;
          },
          nb::sig("def statistics(self) -> dict[str, int]"));
  nb::class_<passes::PipelineReport>(module, "PipelineReport", "A run of a pipeline.")
      .def_ro("changed", &passes::PipelineReport::changed)
      .def_ro("passes", &passes::PipelineReport::passes);
}

}  // namespace

void AddPasses(nb::module_& module) {
  AddDescriptors(module);
  AddReports(module);
  module.def(
      "passes",
      [] {
        std::vector<passes::PassDescriptor> all;
        for (const auto* pass : Registry().All()) all.push_back(*pass);
        return all;
      },
      "Every pass, by name.");
  module.def(
      "pipelines",
      [] {
        std::vector<passes::PipelineDescriptor> all;
        for (const auto* pipeline : Registry().AllPipelines()) all.push_back(*pipeline);
        return all;
      },
      "Every named pipeline, by name.");
  module.def(
      "opt", &RunOnModel, nb::arg("model"), nb::arg("passes"), nb::kw_only(),
      nb::arg("assume") = std::vector<std::string>(), nb::arg("verify_each") = false,
      "Runs a pipeline, written as for 'lathe opt --passes', on the model, which it changes. "
      "When it fails the model is as the failing pass left it.");
}

}  // namespace lathe::python
