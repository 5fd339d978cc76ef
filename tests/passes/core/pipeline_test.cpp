#include "lathe/passes/core/pipeline.h"

#include <random>

#include <gtest/gtest.h>

#include "lathe/tests/passes/core/sample_passes.h"

namespace lathe::passes {
namespace {

class PipelineTest : public testing::Test {
 protected:
  PipelineTest() {
    EXPECT_TRUE(registry_.Add(WithOptions("p1")).ok());
    EXPECT_TRUE(registry_.Add(Sample("p2")).ok());
    EXPECT_TRUE(registry_.Add(Sample("fuse-conv-bn")).ok());
    PassDescriptor local = Sample("local");
    local.scope = PassScope::kGraphs;
    EXPECT_TRUE(registry_.Add(local).ok());
    EXPECT_TRUE(registry_.AddPipeline(SamplePipeline("clean", "p2,p1{max=2}")).ok());
    EXPECT_TRUE(registry_.AddPipeline(SamplePipeline("cleaner", "fixpoint(clean)")).ok());
  }

  std::string Reprint(std::string_view text) {
    const StatusOr<Pipeline> pipeline = Pipeline::Parse(text, registry_);
    if (!pipeline.ok()) return FormatError(pipeline.status());
    const StatusOr<Pipeline> again = Pipeline::Parse(pipeline->ToText(), registry_);
    EXPECT_TRUE(again.ok()) << pipeline->ToText();
    if (again.ok()) {
      EXPECT_EQ(*again, *pipeline);
    }
    return pipeline->ToText();
  }

  PassRegistry registry_;
};

TEST_F(PipelineTest, PrintsBackWhatItParsed) {
  for (const std::string_view text :
       {"", "p1", "p1,p2,p1", "p1{max=3,mode=\"quoted, text\"},p2,phase(p2,p1)",
        "p1{mode=\"} \\\" \\\\ {\",skip=[a,\"b,c\",\"]\"]}", "phase(phase(p1),phase())",
        "model(p1,bodies(local,phase(local)),fixpoint{max=3}(p2,fixpoint(p1)))"}) {
    EXPECT_EQ(Reprint(text), text);
  }
}

TEST_F(PipelineTest, SpaceAndDefaultsAreLeftOut) {
  EXPECT_EQ(Reprint(" p1 { max = 8 , mode = slow } ,\n phase ( p2 )\t"), "p1{mode=slow},phase(p2)");
  EXPECT_EQ(Reprint("p1{}"), "p1");
  EXPECT_EQ(Reprint("fixpoint {max=8} (p2)"), "fixpoint(p2)");
  EXPECT_EQ(Reprint("# first\np1 # then\n,p2 #"), "p1,p2");
}

TEST_F(PipelineTest, NamedPipelinesAreExpanded) {
  EXPECT_EQ(Reprint("local,clean"), "local,phase{name=clean}(p2,p1{max=2})");
  EXPECT_EQ(Reprint("cleaner"), "phase{name=cleaner}(fixpoint(phase{name=clean}(p2,p1{max=2})))");
  EXPECT_EQ(Reprint("p2,clean{max=1}"),
            "pipeline, column 9: pipeline 'clean' takes neither options nor passes");
  EXPECT_EQ(Reprint("clean(p2)"),
            "pipeline, column 6: pipeline 'clean' takes neither options nor passes");
  EXPECT_EQ(Reprint("p2,claen"),
            "pipeline, column 4: there is no pass or pipeline 'claen'; did you mean 'clean'?");
  EXPECT_EQ(Reprint("bodies(local,clean)"),
            "pipeline, column 14: in clean: pipeline, column 1: pass 'p2' works on the whole model "
            "and cannot stand in bodies(...)");
}

TEST_F(PipelineTest, WrongNestingIsRefused) {
  EXPECT_EQ(Reprint("bodies(local,p2)"),
            "pipeline, column 14: pass 'p2' works on the whole model and cannot stand in "
            "bodies(...)");
  EXPECT_EQ(Reprint("bodies(phase(bodies(local)))"),
            "pipeline, column 14: bodies(...) cannot stand in bodies(...)");
  EXPECT_EQ(Reprint("bodies(model(local))"),
            "pipeline, column 8: model(...) cannot stand in bodies(...)");
  EXPECT_EQ(Reprint("bodies(local),p2,model(bodies(local),bodies(local))"),
            "bodies(local),p2,model(bodies(local),bodies(local))");
  EXPECT_EQ(Reprint("fixpoint(fixpoint(fixpoint(fixpoint(fixpoint(p1)))))"),
            "pipeline, column 37: fixpoints are nested more than 4 deep");
}

TEST_F(PipelineTest, OptionsOfGroups) {
  EXPECT_EQ(Reprint("fixpoint{max=0}(p1)"),
            "pipeline, column 1: fixpoint: option 'max' must be at least 1");
  EXPECT_EQ(Reprint("fixpoint{mx=1}(p1)"),
            "pipeline, column 10: fixpoint: there is no option 'mx'; did you mean 'max'?");
  EXPECT_EQ(Reprint("bodies{max=1}(p1)"),
            "pipeline, column 8: bodies: there is no option 'max': it takes none");
  EXPECT_EQ(Reprint("phase{name=\"a b\"}(p1)"), "phase{name=\"a b\"}(p1)");
}

TEST_F(PipelineTest, InATextOfSeveralLinesErrorsNameTheLine) {
  EXPECT_EQ(Reprint("p1,\n  # not this one\n  p3"),
            "pipeline, line 3, column 3: there is no pass or pipeline 'p3'; did you mean 'p1' or "
            "'p2'?");
}

TEST_F(PipelineTest, IsBuiltFromDescriptors) {
  Pipeline pipeline;
  pipeline.Add(**registry_.Find("p2"));
  OptionValues options((*registry_.Find("p1"))->options);
  ASSERT_TRUE(options.Set("max", OptionValue(int64_t{1})).ok());
  pipeline.Add(**registry_.Find("p1"), options);
  EXPECT_EQ(pipeline.ToText(), "p2,p1{max=1}");
}

TEST_F(PipelineTest, ErrorsNameTheColumn) {
  EXPECT_EQ(Reprint("p2,fuse-conv-bm"),
            "pipeline, column 4: there is no pass or pipeline 'fuse-conv-bm'; did you mean "
            "'fuse-conv-bn'?");
  EXPECT_EQ(Reprint("p2,"),
            "pipeline, column 4: expected the name of a pass, found the end of the text");
  EXPECT_EQ(Reprint(",p2"), "pipeline, column 1: expected the name of a pass, found ','");
  EXPECT_EQ(Reprint("p2 p2"), "pipeline, column 4: unexpected 'p'");
  EXPECT_EQ(Reprint("p2)"), "pipeline, column 3: unexpected ')'");
  EXPECT_EQ(Reprint("p2(p1)"),
            "pipeline, column 3: pass 'p2' takes no passes; groups do: phase, model, bodies, "
            "fixpoint");
  EXPECT_EQ(Reprint("phase"),
            "pipeline, column 6: expected '(' after phase, found the end of the text");
  EXPECT_EQ(Reprint("p2,phase(p2"), "pipeline, column 9: '(' is not closed");
  EXPECT_EQ(Reprint("phase(p2}"), "pipeline, column 9: expected ',' or ')', found '}'");
  EXPECT_EQ(Reprint("p1{max=3"), "pipeline, column 3: '{' is not closed");
  EXPECT_EQ(Reprint("p1{"),
            "pipeline, column 4: expected the name of an option, found the end of the text");
  EXPECT_EQ(Reprint("p1{max}"), "pipeline, column 7: expected '=' after option 'max', found '}'");
  EXPECT_EQ(Reprint("p1{max=}"), "pipeline, column 8: expected a value, found '}'");
  EXPECT_EQ(Reprint("p1{max=x}"),
            "pipeline, column 4: pass p1: option 'max' is an integer, and 'x' is not one");
  EXPECT_EQ(Reprint("p1{mx=1}"),
            "pipeline, column 4: pass p1: there is no option 'mx'; did you mean 'max'?");
  EXPECT_EQ(Reprint("p2{max=1}"),
            "pipeline, column 4: pass p2: there is no option 'max': it takes none");
  EXPECT_EQ(Reprint("p1{max=1,max=2}"), "pipeline, column 10: option 'max' is given twice");
  EXPECT_EQ(Reprint("p1{mode=\"a}"), "pipeline, column 9: the quote is not closed");
}

TEST_F(PipelineTest, DeepNestingIsAnErrorNotACrash) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "phase(";
  EXPECT_EQ(Reprint(text), "pipeline, column 606: groups are nested more than 100 deep");
}

TEST_F(PipelineTest, AnyTextIsParsedOrRefused) {
  const std::string alphabet = "p12phasefixodbncl(){}=,\"\\[]# max";
  std::mt19937_64 random(7);
  int parsed = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text = "p1{max=1,skip=[a]},phase(p2),fixpoint(clean)";
    for (size_t edits = random() % 4; edits-- > 0;) {
      const size_t at = random() % text.size();
      if (random() % 2 == 0) {
        text[at] = alphabet[random() % alphabet.size()];
      } else {
        text.erase(at, 1 + random() % 3);
      }
    }
    if (Pipeline::Parse(text, registry_).ok()) {
      ++parsed;
      Reprint(text);
    }
  }
  EXPECT_GT(parsed, 100);
}

}  // namespace
}  // namespace lathe::passes
