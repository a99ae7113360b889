#include "models/model_part.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "models/llama.h"
#include "models/recomputation.h"
#include "parallel/comm/self.h"

namespace boostr {
namespace {

double cost_of(const ModelPart& part, const ChainCosts& costs) {
  return (part.embeds ? costs.embed : 0) + static_cast<double>(part.num_layers()) * costs.layer +
         (part.ends ? costs.head : 0);
}

struct Quality {
  double dearest = 0;
  double squares = 0;
};

Quality quality_of(const std::vector<ModelPart>& parts, const ChainCosts& costs) {
  Quality quality;
  for (const ModelPart& part : parts) {
    const double cost = cost_of(part, costs);
    quality.dearest = std::max(quality.dearest, cost);
    quality.squares += cost * cost;
  }
  return quality;
}

/// Of every way to cut `links` links, whose costs are given, into parts: the best.
Quality best_of_all(const std::vector<double>& links, std::size_t first, int parts) {
  if (parts == 0)
    return first == links.size() ? Quality{} : Quality{std::numeric_limits<double>::infinity(), 0};
  Quality best{std::numeric_limits<double>::infinity(), 0};
  double part = 0;
  for (std::size_t end = first + 1; end <= links.size(); ++end) {
    part += links[end - 1];
    const Quality rest = best_of_all(links, end, parts - 1);
    const Quality all{std::max(rest.dearest, part), rest.squares + part * part};
    if (all.dearest < best.dearest) best = all;
  }
  return best;
}

TEST(CutChain, SharesEqualLayersEvenly) {
  const auto parts = cut_chain(10, 4, {.embed = 0, .layer = 1, .head = 0});
  ASSERT_EQ(parts.size(), 4u);
  EXPECT_EQ(parts[0], (ModelPart{true, 0, 2, false}));
  EXPECT_EQ(parts[1], (ModelPart{false, 2, 4, false}));
  EXPECT_EQ(parts[2], (ModelPart{false, 4, 7, false}));
  EXPECT_EQ(parts[3], (ModelPart{false, 7, 10, true}));
}

TEST(CutChain, CountsTheEmbeddingAndTheHead) {
  const auto parts = cut_chain(8, 4, {.embed = 0, .layer = 1, .head = 3});
  EXPECT_EQ(parts[3], (ModelPart{false, 8, 8, true})) << "a head as dear as three layers is alone";
  EXPECT_EQ(cut_chain(8, 1, {})[0], (ModelPart{true, 0, 8, true}));
}

TEST(CutChain, IsAsGoodAsTheBestOfAllCuts) {
  for (const ChainCosts& costs :
       {ChainCosts{0, 1, 0}, ChainCosts{0.25, 1, 2.5}, ChainCosts{3, 2, 1}})
    for (std::int64_t layers = 1; layers <= 7; ++layers)
      for (int count = 1; count <= layers + 2; ++count) {
        std::vector<double> links{costs.embed};
        links.insert(links.end(), static_cast<std::size_t>(layers), costs.layer);
        links.push_back(costs.head);
        const auto parts = cut_chain(layers, count, costs);
        EXPECT_DOUBLE_EQ(quality_of(parts, costs).dearest, best_of_all(links, 0, count).dearest)
            << layers << " layers in " << count;
        ASSERT_EQ(parts.size(), static_cast<std::size_t>(count));
        std::int64_t next = 0;
        for (const ModelPart& part : parts) {
          EXPECT_EQ(part.first_layer, next);
          EXPECT_TRUE(part.num_layers() > 0 || part.embeds || part.ends);
          EXPECT_EQ(part.embeds, &part == &parts.front());
          EXPECT_EQ(part.ends, &part == &parts.back());
          next = part.end_layer;
        }
        EXPECT_EQ(next, layers);
      }
}

TEST(CutChain, RefusesMorePartsThanLinks) {
  try {
    cut_chain(2, 5, {});
    FAIL() << "two layers do not make five parts";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_NE(std::string(e.what()).find("only 4 links"), std::string::npos) << e.what();
  }
}

/// A small model with its initial weights.
struct Subject {
  explicit Subject(bool tied) : model(config(tied), 12, DType::f64, tp) {
    for (const Parameter& parameter : parameters(model))
      initialize(parameter.value().view({parameter.numel()}), parameter, 0, 7);
    std::vector<std::int32_t> ids(24);
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i * i % 61);
    microbatch = {Tensor::of(Shape{2, 12}, ids), Tensor::of(Shape{2, 12}, ids), {}};
  }

  static LlamaConfig config(bool tied) {
    LlamaConfig config;
    config.vocab_size = 61;
    config.hidden_size = 16;
    config.num_hidden_layers = 5;
    config.num_attention_heads = 2;
    config.intermediate_size = 24;
    config.tie_word_embeddings = tied;
    return config;
  }

  std::unique_ptr<Communicator> world = self_world();
  TensorParallel tp{*world};
  Llama model;
  Microbatch microbatch;
};

TEST(ModelPart, OneAfterAnotherTheyAreTheModel) {
  const Subject subject(true);
  const double whole = forward_loss(subject.model, subject.microbatch, 1.0).item();
  for (const int count : {1, 2, 3, 7}) {
    Tensor stream;
    for (const ModelPart& part : cut_chain(5, count, {.embed = 0.1, .layer = 1, .head = 1}))
      stream = forward_part(subject.model, part, stream, subject.microbatch);
    EXPECT_EQ(subject.model.loss(stream, subject.microbatch, 1.0).item(), whole) << count;
  }
}

TEST(ModelPart, HasTheParametersThatItUses) {
  for (const bool tied : {false, true}) {
    Subject subject(tied);
    const std::vector<Parameter> all = parameters(subject.model);
    const auto parts = cut_chain(5, 3, {});
    std::vector<std::string> visited;
    for (const ModelPart& part : parts)
      for (const auto& unit : parameter_units(subject.model, part))
        for (const Parameter& parameter : unit) visited.push_back(parameter.name());
    EXPECT_EQ(visited.size(), all.size() + (tied ? 1 : 0))
        << "a tied matrix is in the last part too";
    for (const Parameter& parameter : all)
      EXPECT_EQ(std::ranges::count(visited, parameter.name()),
                tied && parameter.name() == "model.embed_tokens.weight" ? 2 : 1)
          << parameter.name();
    EXPECT_EQ(parameter_units(subject.model).size(), tied ? 7u : 8u);
  }
}

TEST(Recomputation, ReadsListsOfLayers) {
  EXPECT_EQ(layers_listed("all", 3), (std::vector<bool>{true, true, true}));
  EXPECT_EQ(layers_listed("1", 3), (std::vector<bool>{false, true, false}));
  EXPECT_EQ(layers_listed("0-1,3", 5), (std::vector<bool>{true, true, false, true, false}));
  const Recomputation some(ActivationCheckpoint::full, layers_listed("2", 3));
  EXPECT_EQ(some.of_layer(2), ActivationCheckpoint::full);
  EXPECT_EQ(some.of_layer(1), ActivationCheckpoint::none);
  for (const char* wrong : {"", "x", "1-", "-1", "2-1", "3", "0,", "0 1", "0-3"})
    EXPECT_THROW(layers_listed(wrong, 3), Error) << wrong;
}

}  // namespace
}  // namespace boostr
