// Documentation made from descriptors, in Markdown.
#pragma once

#include <map>
#include <string>

#include "lathe/passes/core/registry.h"

namespace lathe::tools {

// The page of a pass: summary, description, options, counts, facts.
std::string PassPage(const passes::PassDescriptor& pass);
// The page of a named pipeline.
std::string PipelinePage(const passes::PipelineDescriptor& pipeline);

// All pages by file name, with README.md, which lists them and what groups passes.
std::map<std::string, std::string> PassDocs(const passes::PassRegistry& registry);

// Writes them into the folder, which is made if need be; files that stand there are replaced,
// others are left alone. Errors: the folder or a file cannot be written.
Status WritePassDocs(const passes::PassRegistry& registry, const std::string& folder);

}  // namespace lathe::tools
