#include "launch/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <ostream>
#include <span>
#include <string_view>

#include "launch/cli_verbs.h"
#include "launch/plan_command.h"
#include "launch/schedule_command.h"
#include "trainer/recipe_print.h"
#include "trainer/recipe_schema.h"
#include "trainer/recipe_suggest.h"

namespace boostr {

namespace {

/// What the options of all verbs are read into.
struct Options {
  std::string recipe;
  std::vector<std::string> overrides;
  int ranks = 0;
  bool markdown = false;
  ProfileOptions profile;
  VerifyRequest verify;
  ScheduleOptions schedule;
  PlanOptions plan;
  bool calibrate = false;
};

/// Returns the recipe's own option.
CLI::Option* add_recipe(CLI::App& verb, Options& options) {
  CLI::Option* recipe = verb.add_option("recipe", options.recipe, "the recipe, a YAML file")
                            ->required()
                            ->type_name("FILE");
  verb.add_option("overrides", options.overrides,
                  "key.path=value, set over the recipe: training.steps=100")
      ->type_name("KEY=VALUE");
  return recipe;
}

void add_ranks(CLI::App& verb, Options& options, const std::string& purpose) {
  verb.add_option("-n,--ranks", options.ranks, purpose)
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 20));
}

void add_steps(CLI::App& verb, std::int64_t& steps, const std::string& purpose) {
  verb.add_option("--steps", steps, purpose)
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
}

void define_profile(CLI::App& app, Options& options) {
  CLI::App* profile = app.add_subcommand(
      "profile", "Run a recipe's first steps and show where their time goes, kernel by kernel");
  add_recipe(*profile, options);
  add_ranks(*profile, options, "start N processes with mpirun; rank 0's times are shown");
  add_steps(*profile, options.profile.steps, "steps to measure, after 2 to warm up");
  profile
      ->add_option("--trace", options.profile.trace,
                   "Chrome trace of all ranks to write, for https://ui.perfetto.dev")
      ->type_name("FILE")
      ->check(refuse_no_file)
      ->capture_default_str();
  profile
      ->add_option(
          "--timeline", options.profile.timeline,
          "SVG of the last step's pipeline as it ran; beside it, with -planned in its name, "
          "as its schedule says")
      ->type_name("FILE")
      ->check(refuse_no_file);
  profile->add_flag("--by-shape", options.profile.by_shape,
                    "a row for each kernel and shapes of its operands");
  profile->footer(footer(
      "  boostr-train profile recipes/quickstart.yaml\n"
      "  boostr-train profile -n 2 recipes/quickstart.yaml --steps 10 --trace quickstart.json\n"));
}

void define_verify(CLI::App& app, Options& options) {
  CLI::App* verify = app.add_subcommand(
      "verify", "Train a recipe's first steps on its mesh and in one process, and compare them");
  add_recipe(*verify, options);
  add_ranks(*verify, options,
            "threads that play the ranks (default: what the mesh needs; under mpirun its ranks)");
  add_steps(*verify, options.verify.options.steps, "steps to compare");
  verify
      ->add_option("--precision", options.verify.precision,
                   "f64, where rounding hides nothing, or configured: precision.compute's")
      ->type_name("P")
      ->check(CLI::IsMember({"f64", "configured"}))
      ->capture_default_str();
  verify
      ->add_option("--tolerance", options.verify.options.tolerance,
                   "error relative to a tensor's largest number (default: 1e-10 in f64, 1e-3 in "
                   "f32, 5e-2 in bf16 and f16)")
      ->type_name("X")
      ->check(CLI::PositiveNumber);
  verify->footer(
      footer("  boostr-train verify recipes/quickstart.yaml\n"
             "  boostr-train verify recipes/quickstart.yaml -n 4 parallelism.zero_stage=3\n"
             "  mpirun -np 4 boostr-train verify recipes/quickstart.yaml --steps 10\n"));
}

void define_plan(CLI::App& app, Options& options) {
  CLI::App* plan = app.add_subcommand(
      "plan",
      "Show what each rank would hold, compute and send, how long a step would take and "
      "whether it fits, without ranks, devices or data");
  add_recipe(*plan, options)->required(false);
  add_ranks(*plan, options, "ranks to plan for (default: the product of the recipe's degrees)");
  plan->add_option("--device", options.plan.device,
                   "what the ranks run on: h200, a100, or this: this machine")
      ->type_name("D")
      ->capture_default_str();
  plan->add_flag("--json", options.plan.json, "print one JSON object instead");
  plan->add_flag("--search", options.plan.search,
                 "list the fastest layouts of so many ranks that fit");
  plan->add_flag("--calibrate", options.calibrate,
                 "measure first how fast this machine trains small models, and the recipe's if one "
                 "is named: some seconds for each number of ranks");
  plan->add_option("--calibration", options.plan.calibration,
                   "file of what was measured (default: ~/.cache/boostr/calibration.json)")
      ->type_name("FILE")
      ->check(refuse_no_file);
  plan->footer(
      footer("  boostr-train plan recipes/quickstart.yaml\n"
             "  boostr-train plan recipes/quickstart.yaml --ranks 4 parallelism.zero_stage=3\n"
             "  boostr-train plan recipes/quickstart.yaml --ranks 64 --device h200 --json\n"
             "  boostr-train plan --calibrate\n"));
}

void define_verbs(CLI::App& app, Options& options) {
  CLI::App* train = app.add_subcommand(
      "train", "Train what a recipe describes, or go on where it stopped (default)");
  add_recipe(*train, options);
  add_ranks(*train, options,
            "start N processes with mpirun (default: run as the process that was started)");
  train->footer(
      footer("  boostr-train recipes/quickstart.yaml\n"
             "  boostr-train -n 2 recipes/quickstart.yaml training.steps=50 optimizer.lr=1e-3\n"
             "  mpirun -np 2 boostr-train recipes/quickstart.yaml\n"));

  define_profile(app, options);
  define_verify(app, options);
  define_plan(app, options);
  define_schedule(app, options.schedule);
  CLI::App* config = app.add_subcommand(
      "config", "Print the recipe with every default filled in and where it came from");
  add_recipe(*config, options);
  config->footer(
      footer("  boostr-train config recipes/quickstart.yaml\n"
             "  boostr-train config recipes/quickstart.yaml precision.compute=f32 > mine.yaml\n"));

  CLI::App* check = app.add_subcommand("check", "Check a recipe and do nothing else");
  add_recipe(*check, options);
  add_ranks(*check, options, "check that it fits N ranks too");
  check->footer(
      footer("  boostr-train check recipes/quickstart.yaml\n"
             "  boostr-train check -n 8 recipes/quickstart.yaml training.global_batch_size=64\n"));

  CLI::App* schema = app.add_subcommand("schema", "Print the JSON Schema of recipes, for editors");
  schema->add_flag("--markdown", options.markdown,
                   "print the reference page docs/recipe.md instead");
  schema->footer(
      footer("  boostr-train schema > recipe.schema.json\n"
             "  boostr-train schema --markdown > docs/recipe.md\n"));

  CLI::App* version = app.add_subcommand("version", "Print the version");
  version->footer(footer("  boostr-train version\n  boostr-train --version\n"));
  for (CLI::App* verb : app.get_subcommands({})) verb->allow_extras()->group("Verbs");
}

std::vector<std::string> verb_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(verb->get_name());
  }
  return names;
}

std::string_view closest_of(std::string_view word, const std::vector<std::string>& names) {
  const std::vector<std::string_view> views(names.begin(), names.end());
  return closest(word, views);
}

// Puts the verb first; without one it is `train`, unless nothing but help is asked for.
std::vector<std::string> with_verb_first(std::vector<std::string> arguments,
                                         const std::vector<std::string>& verbs) {
  constexpr std::array with_value = {
      "-n",          "--ranks",        "--steps",         "--trace",        "--precision",
      "--tolerance", "--kind",         "--stages",        "--microbatches", "--chunks",
      "--times",     "--memory-limit", "--weight-memory", "--csv",          "--svg",
      "--width",     "--device",       "--calibration"};
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (std::ranges::find(with_value, argument) != with_value.end()) {
      ++i;
    } else if (!argument.starts_with('-')) {
      const bool is_verb = std::ranges::find(verbs, argument) != verbs.end();
      if (is_verb)
        std::rotate(arguments.begin(), arguments.begin() + static_cast<std::ptrdiff_t>(i),
                    arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      if (!is_verb) arguments.insert(arguments.begin(), "train");
      return arguments;
    }
  }
  constexpr std::array alone = {"-h", "--help", "-V", "--version"};
  const bool help = std::ranges::any_of(arguments, [&](const std::string& argument) {
    return std::ranges::find(alone, argument) != alone.end();
  });
  if (!help) arguments.insert(arguments.begin(), "train");
  return arguments;
}

void refuse_unknown_options(const CLI::App& verb) {
  const std::vector<std::string> unknown = verb.remaining();
  if (unknown.empty()) return;
  const std::string& option = unknown.front();
  std::vector<std::string> names;
  for (const CLI::Option* known : verb.get_options()) {
    for (const std::string& name : known->get_lnames()) names.push_back("--" + name);
  }
  const std::string_view near = closest_of(option, names);
  std::string hint;
  if (!near.empty()) hint = text("; did you mean '", near, "'?");
  const bool like_override = option.starts_with("--") && option.find('.') != std::string::npos;
  if (like_override)
    hint = text("; recipe keys are set without dashes: ", option.substr(2),
                option.find('=') == std::string::npos ? "=VALUE" : "");
  throw Error(ExitCode::usage, text("unknown argument '", option, "'", hint,
                                    "\n  see boostr-train ", verb.get_name(), " --help"));
}

// `boostr-train trian x.yaml` means a verb, not a recipe called trian.
void refuse_unknown_verb(const Options& options, const CLI::App& app) {
  const bool like_file = options.recipe.find_first_of("./") != std::string::npos;
  if (like_file || std::filesystem::exists(options.recipe)) return;
  const std::vector<std::string> verbs = verb_names(app);
  const std::string_view near = closest_of(options.recipe, verbs);
  std::string list;
  for (const std::string& verb : verbs) list += text(list.empty() ? "" : ", ", verb);
  const std::string hint =
      near.empty() ? text("verbs: ", list) : text("did you mean '", near, "'?");
  throw Error(ExitCode::usage,
              text("'", options.recipe, "' is neither a verb nor a recipe; ", hint));
}

// Starts the ranks that -n asks for with the same words; without -n calls `here`.
int start(const std::vector<std::string>& words, const LoadedRecipe& loaded, const Options& options,
          const Actions& actions, const std::function<int()>& here) {
  const int started = actions.ranks();
  check_ranks(loaded, options.ranks > 0 ? options.ranks : started);
  if (options.ranks == 0) return here();
  require(started == 1, ExitCode::usage, "-n starts processes, but this one is already one of ",
          started, "; leave -n out");
  std::vector<std::string> arguments = words;
  arguments.push_back(options.recipe);
  arguments.insert(arguments.end(), options.overrides.begin(), options.overrides.end());
  return actions.launch(options.ranks, arguments);
}

int train(const LoadedRecipe& loaded, const Options& options, const Actions& actions) {
  return start({"train"}, loaded, options, actions, [&] { return actions.train(loaded); });
}

int profile(const LoadedRecipe& loaded, const Options& options, const Actions& actions) {
  const ProfileOptions& asked = options.profile;
  std::vector<std::string> words = {"profile", text("--steps=", asked.steps),
                                    text("--trace=", asked.trace)};
  if (!asked.timeline.empty()) words.push_back("--timeline=" + asked.timeline);
  if (asked.by_shape) words.emplace_back("--by-shape");
  return start(words, loaded, options, actions, [&] { return actions.profile(loaded, asked); });
}

// Threads play the ranks: nothing is started.
int verify(const LoadedRecipe& loaded, const Options& options, const Actions& actions) {
  const int started = actions.ranks();
  require(options.ranks == 0 || started == 1, ExitCode::usage,
          "-n names threads that play ranks, but this process is already one of ", started,
          "; leave -n out");
  VerifyRequest request = options.verify;
  request.ranks = options.ranks > 0 ? options.ranks
                  : started > 1     ? started
                                    : ranks_of(loaded.recipe.parallelism);
  request.on_threads = started == 1;
  check_ranks(loaded, request.ranks);
  return actions.verify(loaded, request);
}

// Each number of ranks is measured by as many processes.
int calibrate(const LoadedRecipe* loaded, const Options& options, const std::string& file,
              const Actions& actions) {
  const Recipe* const recipe = loaded != nullptr ? &loaded->recipe : nullptr;
  if (actions.ranks() > 1) return actions.calibrate(recipe, file);
  std::vector<std::string> words = {"plan", "--calibrate", "--calibration=" + file};
  if (loaded != nullptr) {
    words.push_back(options.recipe);
    words.insert(words.end(), options.overrides.begin(), options.overrides.end());
  }
  for (const int ranks : ranks_to_calibrate(loaded, options.ranks)) {
    const int code = ranks == 1 ? actions.calibrate(recipe, file) : actions.launch(ranks, words);
    if (code != 0) return code;
  }
  return 0;
}

int plan(const Options& options, const Actions& actions, std::ostream& out, std::ostream& err) {
  require(options.calibrate || !options.recipe.empty(), ExitCode::usage,
          "plan needs a recipe, or --calibrate\n  see boostr-train plan --help");
  std::optional<LoadedRecipe> loaded;
  if (!options.recipe.empty()) loaded = load_recipe(options.recipe, options.overrides);
  PlanOptions asked = options.plan;
  if (asked.calibration.empty()) asked.calibration = usual_calibration_file();
  if (options.calibrate) {
    const int code = calibrate(loaded ? &*loaded : nullptr, options, asked.calibration, actions);
    if (code != 0 || actions.ranks() > 1 || !loaded) return code;
  }
  err << loaded->diagnostics.warnings();
  return plan_command(*loaded, options.ranks, asked, out);
}

int run_verb(const std::string& verb, const Options& options, const Actions& actions,
             std::ostream& out, std::ostream& err) {
  if (verb == "version") {
    out << "boostr-train " << BOOSTR_VERSION << "\n";
    return 0;
  }
  if (verb == "schema") {
    out << (options.markdown ? recipe_reference() : recipe_schema());
    return 0;
  }
  if (verb == "schedule") return schedule_command(options.schedule, out);
  if (verb == "plan") return plan(options, actions, out, err);
  const LoadedRecipe loaded = load_recipe(options.recipe, options.overrides);
  const bool starts_ranks = (verb == "train" || verb == "profile") && options.ranks > 0;
  if (!starts_ranks) err << loaded.diagnostics.warnings();  // else they will
  if (verb == "train") return train(loaded, options, actions);
  if (verb == "profile") return profile(loaded, options, actions);
  if (verb == "verify") return verify(loaded, options, actions);
  if (options.ranks > 0) check_ranks(loaded, options.ranks);
  if (verb == "config") {
    out << explained_yaml(loaded);
  } else {
    out << options.recipe << ": ok\n";
  }
  return 0;
}

}  // namespace

int run_command_line(const std::vector<std::string>& arguments, const Actions& actions,
                     std::ostream& out, std::ostream& err) {
  CLI::App app(
      "boostr-train trains language models from a YAML recipe.\n"
      "  boostr-train recipe.yaml [key.path=value ...]",
      "boostr-train");
  Options options;
  app.set_version_flag("-V,--version", text("boostr-train ", BOOSTR_VERSION));
  app.footer(footer(
      "  boostr-train recipes/quickstart.yaml\n  boostr-train config recipes/quickstart.yaml\n"));
  app.get_formatter()->label("SUBCOMMAND", "VERB");
  define_verbs(app, options);
  std::vector<std::string> ordered = with_verb_first(arguments, verb_names(app));
  std::ranges::reverse(ordered);  // as CLI11 takes them
  try {
    app.parse(ordered);
  } catch (const CLI::Success& asked) {  // --help, --version
    std::ostringstream complaints;
    return app.exit(asked, out, complaints);
  } catch (const CLI::ParseError& e) {
    for (const CLI::App* verb : app.get_subcommands()) refuse_unknown_options(*verb);
    throw Error(ExitCode::usage, text(e.what(), "\n  see boostr-train --help"));
  }
  const CLI::App& verb = *app.get_subcommands().front();
  refuse_unknown_options(verb);
  if (verb.get_name() == "train") refuse_unknown_verb(options, app);
  return run_verb(verb.get_name(), options, actions, out, err);
}

}  // namespace boostr
