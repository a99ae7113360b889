#include "launch/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <sstream>

#include "launch/resume_command.h"
#include "tests/launch/command_line.h"

namespace boostr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const std::string quickstart = std::string(BOOSTR_SOURCE_DIR) + "/recipes/quickstart.yaml";

/// What a command line did.
struct Outcome : CommandOutcome {
  std::int64_t trained_steps = 0;
  std::optional<ProfileOptions> profiled;
  std::optional<VerifyRequest> verified;
  int launched_ranks = 0;
  std::vector<std::string> launched_arguments;
};

Outcome run(const std::vector<std::string>& arguments, int started_ranks = 1) {
  Outcome outcome;
  const Actions actions{.train =
                            [&](const LoadedRecipe& loaded) {
                              outcome.trained_steps = loaded.recipe.training.steps;
                              return 75;
                            },
                        .profile =
                            [&](const LoadedRecipe&, const ProfileOptions& options) {
                              outcome.profiled = options;
                              return 6;
                            },
                        .verify =
                            [&](const LoadedRecipe&, const VerifyRequest& request) {
                              outcome.verified = request;
                              return 6;
                            },
                        .launch =
                            [&](int ranks, const std::vector<std::string>& words) {
                              outcome.launched_ranks = ranks;
                              outcome.launched_arguments = words;
                              return 7;
                            },
                        .ranks = [=] { return started_ranks; }};
  static_cast<CommandOutcome&>(outcome) = run_words(arguments, actions);
  return outcome;
}

TEST(CommandLine, TrainsByDefaultAndReturnsWhatTrainingReturns) {
  const Outcome outcome = run({quickstart, "training.steps=20"});
  EXPECT_EQ(outcome.trained_steps, 20);
  EXPECT_EQ(outcome.code, 75);
  EXPECT_EQ(run({"train", quickstart}).trained_steps, 200);
}

TEST(CommandLine, VerifiesOnTheRanksThatTheMeshNeeds) {
  const std::vector<std::string> command = {"verify", quickstart,
                                            "parallelism.tensor_parallel_degree=2",
                                            "parallelism.data_parallel_shard_degree=2"};
  const Outcome outcome = run(command);
  EXPECT_EQ(outcome.code, 6);
  ASSERT_TRUE(outcome.verified);
  EXPECT_EQ(outcome.verified->ranks, 4);
  EXPECT_EQ(outcome.verified->precision, "f64");
  EXPECT_EQ(outcome.verified->options.steps, 5);
  std::vector<std::string> more = command;
  more.insert(more.end(), {"--steps", "2", "--precision", "configured", "--tolerance", "0.5"});
  const Outcome asked = run(more, 4);
  ASSERT_TRUE(asked.verified) << asked.error;
  EXPECT_EQ(asked.verified->options.steps, 2);
  EXPECT_EQ(asked.verified->options.tolerance, 0.5);
  EXPECT_EQ(asked.verified->precision, "configured");
  EXPECT_EQ(run(command, 3).code, 2) << "the mesh does not fit three ranks";
  more.insert(more.end(), {"-n", "4"});
  EXPECT_NE(run(more, 4).error.find("leave -n out"), std::string::npos);
}

TEST(CommandLine, StartsRanksAndHandsTheRecipeOn) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"-n", "2", quickstart, "training.steps=5"},
        std::vector<std::string>{quickstart, "training.steps=5", "--ranks", "2"},
        std::vector<std::string>{"train", "--ranks=2", quickstart, "training.steps=5"},
        std::vector<std::string>{"-n", "2", "train", quickstart, "training.steps=5"}}) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.launched_ranks, 2);
    EXPECT_THAT(outcome.launched_arguments, ElementsAre("train", quickstart, "training.steps=5"));
    EXPECT_EQ(outcome.code, 7);
  }
}

TEST(CommandLine, ProfilesWithoutTraining) {
  const Outcome plain = run({"profile", quickstart});
  ASSERT_TRUE(plain.profiled);
  EXPECT_EQ(plain.code, 6);
  EXPECT_EQ(plain.trained_steps, 0);
  EXPECT_EQ(plain.profiled->steps, 5);
  EXPECT_EQ(plain.profiled->trace, "profile.json");
  EXPECT_FALSE(plain.profiled->by_shape);
  const Outcome asked =
      run({"--steps", "3", "profile", quickstart, "--trace", "a b.json", "--by-shape"});
  ASSERT_TRUE(asked.profiled);
  EXPECT_EQ(asked.profiled->steps, 3);
  EXPECT_EQ(asked.profiled->trace, "a b.json");
  EXPECT_TRUE(asked.profiled->by_shape);
  const Outcome started = run({"profile", "-n", "2", quickstart, "--by-shape", "training.seed=3"});
  EXPECT_FALSE(started.profiled);
  EXPECT_EQ(started.launched_ranks, 2);
  EXPECT_THAT(started.launched_arguments,
              ElementsAre("profile", "--steps=5", "--trace=profile.json", "--by-shape", quickstart,
                          "training.seed=3"));
  for (const std::vector<std::string>& bad :
       {std::vector<std::string>{"--steps", "0"}, {"--steps", "few"}, {"--trace", ""}}) {
    const Outcome outcome = run({"profile", quickstart, bad[0], bad[1]});
    EXPECT_EQ(outcome.code, 2) << bad[0];
    EXPECT_FALSE(outcome.profiled) << bad[0];
  }
}

TEST(CommandLine, LeavesWarningsToTheRanksItStarts) {
  const std::string longer_than_the_run = "lr_schedule.warmup_steps=500";
  EXPECT_THAT(run({quickstart, longer_than_the_run}).err,
              HasSubstr("warning: lr_schedule.warmup_steps"));
  EXPECT_EQ(run({"-n", "2", quickstart, longer_than_the_run}).err, "");
  EXPECT_EQ(run({"profile", "-n", "2", quickstart, longer_than_the_run}).err, "");
  EXPECT_THAT(run({"check", "-n", "2", quickstart, longer_than_the_run}).err,
              HasSubstr("warning:"));
}

TEST(CommandLine, ChecksTheRecipeAgainstTheRanksBeforeStarting) {
  const Outcome outcome = run({"-n", "3", quickstart});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.launched_ranks, 0);
  EXPECT_THAT(outcome.error, HasSubstr("quickstart.yaml:7:59: error: training.global_batch_size"));
  EXPECT_EQ(run({quickstart}, 3).code, 2);
}

TEST(CommandLine, DoesNotStartRanksFromARank) {
  EXPECT_THAT(run({"-n", "2", quickstart}, 2).error,
              StartsWith("-n starts processes, but this one"));
}

TEST(CommandLine, PrintsTheRecipeWithOrigins) {
  const Outcome outcome = run({"config", quickstart, "metrics.interval=3"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("# override 'metrics.interval=3'"));
  EXPECT_THAT(outcome.out, HasSubstr("quickstart.yaml:5"));
}

TEST(CommandLine, ChecksWithoutTraining) {
  const Outcome outcome = run({"check", quickstart});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, quickstart + ": ok\n");
  EXPECT_EQ(outcome.trained_steps, 0);
  EXPECT_EQ(run({"check", quickstart, "training.steps=0"}).code, 2);
  EXPECT_EQ(run({"check", "-n", "3", quickstart}).code, 2);
}

TEST(CommandLine, PrintsTheSchemaTheReferenceAndTheVersion) {
  EXPECT_THAT(run({"schema"}).out, StartsWith("{\n  \"$schema\""));
  EXPECT_THAT(run({"schema", "--markdown"}).out, StartsWith("# The recipe"));
  EXPECT_THAT(run({"version"}).out, StartsWith("boostr-train 0."));
  EXPECT_EQ(run({"--version"}).out, run({"version"}).out);
}

TEST(CommandLine, WarnsWithoutFailing) {
  const Outcome outcome = run({"check", quickstart, "training.steps=10"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("warning: lr_schedule.warmup_steps"));
}

TEST(CommandLine, EveryVerbHasHelpWithExamplesAndExitCodes) {
  for (const std::string verb :
       {"", "train", "profile", "verify", "schedule", "config", "check", "schema", "version"}) {
    std::vector<std::string> arguments = {"--help"};
    if (!verb.empty()) arguments.insert(arguments.begin(), verb);
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0) << verb;
    EXPECT_THAT(outcome.out, HasSubstr("Usage: boostr-train")) << verb;
    EXPECT_THAT(outcome.out, HasSubstr("75  stopped on request and saved")) << verb;
    const std::size_t examples = outcome.out.find("Examples:\n  boostr-train ");
    ASSERT_NE(examples, std::string::npos) << verb;
    EXPECT_NE(outcome.out.find("\n  boostr-train ", examples + 15), std::string::npos) << verb;
  }
}

TEST(CommandLine, HelpNamesEveryVerb) {
  const std::string help = run({"--help"}).out;
  for (const std::string verb :
       {"train", "profile", "verify", "schedule", "config", "check", "schema", "version"}) {
    EXPECT_THAT(help, HasSubstr("\n  " + verb + " ")) << verb;
  }
}

TEST(CommandLine, RefusesWhatItDoesNotKnowAndSaysWhatWasMeant) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"trian", "r.yaml"}, "'trian' is neither a verb nor a recipe; did you mean 'train'?"},
      {{"chekc"}, "'chekc' is neither a verb nor a recipe; did you mean 'check'?"},
      {{"frobnicate"},
       "'frobnicate' is neither a verb nor a recipe; verbs: train, profile, verify, plan, "
       "schedule, "
       "config, check, "
       "schema, version"},
      {{quickstart, "--rank", "2"},
       "unknown argument '--rank'; did you mean '--ranks'?\n  see boostr-train train --help"},
      {{"schema", "--markdwon"},
       "unknown argument '--markdwon'; did you mean '--markdown'?\n  see boostr-train schema "
       "--help"},
      {{quickstart, "--training.steps=3"},
       "unknown argument '--training.steps=3'; recipe keys are set without dashes: "
       "training.steps=3\n"
       "  see boostr-train train --help"},
      {{}, "recipe is required\n  see boostr-train --help"},
      {{"nowhere.yaml"}, "cannot read the recipe 'nowhere.yaml': No such file or directory"}};
  for (const auto& [arguments, message] : cases) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.error, message);
    EXPECT_EQ(outcome.code, 2) << message;
  }
  for (const std::string bad : {"0", "-1", "two", "1.5", ""}) {
    const Outcome outcome = run({"-n", bad, quickstart});
    EXPECT_EQ(outcome.code, 2) << bad;
    EXPECT_EQ(outcome.launched_ranks, 0) << bad;
  }
}

TEST(CommandLine, GivesRecipeErrorsWithTheirPlaces) {
  const Outcome outcome = run({quickstart, "training.stpes=3"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.error,
            "override 'training.stpes=3': error: unknown key 'stpes' in training; did you mean "
            "'steps'?\n");
  EXPECT_THAT(outcome.out, IsEmpty());
}

TEST(ResumeCommand, IsTheSameCommandForAsManyStepsAgain) {
  EXPECT_EQ(resume_command({"bin/boostr-train", "r.yaml"}, 1, 200),
            "bin/boostr-train r.yaml training.steps=400");
  EXPECT_EQ(resume_command({"bin/boostr-train", "r.yaml", "training.steps=20", "seed=1"}, 2, 20),
            "bin/boostr-train -n 2 r.yaml seed=1 training.steps=40");
}

TEST(ResumeCommand, QuotesWhatAShellWouldChange) {
  EXPECT_EQ(resume_command({"boostr-train", "my run.yaml", "a.b=*it's*"}, 1, 1),
            R"(boostr-train 'my run.yaml' 'a.b=*it'\''s*' training.steps=2)");
}

}  // namespace
}  // namespace boostr
