#include "trainer/yaml_reader.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <istream>
#include <optional>
#include <streambuf>
#include <unordered_map>
#include <utility>

#include "trainer/recipe_scalar.h"

namespace boostr {

namespace {

constexpr std::size_t max_bytes = 1 << 20;
constexpr std::size_t max_depth = 32;
constexpr int max_values = 20000;

// Thrown to leave yaml-cpp's parser once an error makes the rest of the text pointless; the error
// is already recorded.
struct StopReading {};

class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());
    setg(begin, begin, begin + text.size());
  }
};

// The offset of the first byte that is not part of readable text, or npos.
std::size_t first_bad_byte(std::string_view input) {
  for (std::size_t i = 0; i < input.size();) {
    const std::size_t length = character_length(input, i);
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

// Builds the tree from the parser's events; nothing here resolves an alias, so an alias bomb is
// only its few bytes.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, int source, Diagnostics& diagnostics)
      : source_(source), diagnostics_(diagnostics) {
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      lines_.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }

  /// The tree, once the text has been read to its end.
  std::optional<YamlNode> take() {
    // Reported only now: an unclosed `{` also looks like such a key, until its error comes.
    if (complex_key_.known()) {
      diagnostics_.error(complex_key_, "a key must be a plain word, not a list or a map");
      return std::nullopt;
    }
    return std::move(root_);
  }

  Mark mark_of(const YAML::Mark& mark) {
    if (mark.line < 0) return {source_, 1, 1};
    const auto line = std::min(static_cast<std::size_t>(mark.line), lines_.size() - 1);
    const auto byte = static_cast<std::size_t>(std::max(mark.column, 0));
    // Marks run along a line: counting goes on from the last one.
    if (line != counted_line_ || byte < counted_bytes_) counted_bytes_ = counted_characters_ = 0;
    const std::string_view rest =
        lines_[line].substr(std::min(counted_bytes_, lines_[line].size()));
    counted_characters_ += static_cast<std::size_t>(count_characters(rest, byte - counted_bytes_));
    counted_line_ = line;
    counted_bytes_ = byte;
    return {source_, static_cast<int>(line) + 1, static_cast<int>(counted_characters_) + 1};
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1)
      stop(mark_of(mark), "a recipe is one YAML document; a second one starts here");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    attach({.kind = YamlNode::Kind::null, .mark = mark_of(mark), .scalar = "null"});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    diagnostics_.error(
        mark_of(mark),
        "a recipe has no aliases (*name); write the value again, or quote it if it is text");
    attach({.kind = YamlNode::Kind::null, .mark = mark_of(mark), .scalar = "an alias"});
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    attach({.kind = YamlNode::Kind::scalar,
            .mark = mark_of(mark),
            .scalar = value,
            .quoted = tag == "!"});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::list, mark, tag, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::map, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  // A list or map that is being filled.
  struct Frame {
    YamlNode node;
    bool has_key = false;
    std::string key;
    Mark key_mark;
    std::unordered_map<std::string, int> lines;  // of the keys so far
  };

  [[noreturn]] void stop(Mark at, std::string message) {
    diagnostics_.error(at, std::move(message));
    throw StopReading{};
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) {
      diagnostics_.error(mark_of(mark),
                         "a recipe has no anchors (&name); share settings with `extends:`");
    }
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") {
      diagnostics_.error(mark_of(mark),
                         "a recipe has no tags (" + tag + "); write the plain value");
    }
  }
  bool expects_key() const {
    return !open_.empty() && open_.back().node.kind == YamlNode::Kind::map && !open_.back().has_key;
  }

  void open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    const Mark at = mark_of(mark);
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (expects_key() && !complex_key_.known()) complex_key_ = at;
    if (open_.size() >= max_depth) stop(at, text("nested deeper than ", max_depth, " levels"));
    open_.push_back({.node = {.kind = kind, .mark = at},
                     .has_key = false,
                     .key = {},
                     .key_mark = {},
                     .lines = {}});
  }
  void close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    attach(std::move(node));
  }

  void attach(YamlNode node) {
    if (++values_ > max_values) stop(node.mark, text("more than ", max_values, " values"));
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = open_.back();
    if (expects_key()) {
      frame.has_key = true;
      frame.key = node.scalar;
      frame.key_mark = node.mark;
      return;
    }
    if (frame.node.kind == YamlNode::Kind::map) {
      frame.has_key = false;
      const auto [first, is_new] = frame.lines.emplace(frame.key, frame.key_mark.line);
      if (!is_new) {
        diagnostics_.error(frame.key_mark, text("duplicate key '", frame.key,
                                                "'; it is already set in line ", first->second));
        return;
      }
      node.key = std::move(frame.key);
      node.key_mark = frame.key_mark;
    }
    frame.node.children.push_back(std::move(node));
  }

  int source_;
  Diagnostics& diagnostics_;
  std::vector<std::string_view> lines_;
  std::vector<Frame> open_;
  YamlNode root_;
  int values_ = 0;
  int documents_ = 0;
  std::size_t counted_line_ = 0, counted_bytes_ = 0, counted_characters_ = 0;
  Mark complex_key_;
};

// True if the text may go to the parser.
bool is_readable(std::string_view input, int source, Diagnostics& diagnostics) {
  const Mark start{source, 1, 1};
  if (input.size() > max_bytes) {
    diagnostics.error(
        start, text("a recipe is at most 1 MiB; is this one? (", input.size(), " bytes read)"));
    return false;
  }
  if (input.starts_with("\xFF\xFE") || input.starts_with("\xFE\xFF")) {
    diagnostics.error(start, "the text is UTF-16; save it as UTF-8");
    return false;
  }
  const std::size_t bad = first_bad_byte(input);
  if (bad == std::string_view::npos) return true;
  const std::string_view before = input.substr(0, bad);
  const std::size_t line_begin =
      before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  const Mark at{source, static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
                count_characters(before.substr(line_begin), bad) + 1};
  diagnostics.error(at, "this byte is not text; a recipe is UTF-8 without control characters");
  return false;
}

struct SyntaxHint {
  std::string_view message;  // yaml-cpp's
  std::string_view meaning;
};
constexpr std::array syntax_hints = {
    SyntaxHint{"end of map flow not found", "a { is not closed"},
    SyntaxHint{"end of sequence flow not found", "a [ is not closed"},
    SyntaxHint{"illegal EOF in scalar", "a quoted text does not end"},
    SyntaxHint{"illegal map value",
               "a key is out of place: the keys of a section start in one column, and a value with "
               "': ' in it needs quotes"},
    SyntaxHint{"end of map not found",
               "a line is out of place: the keys of a section start in one column"},
    SyntaxHint{"unknown token", "a value that starts with this character needs quotes"},
    SyntaxHint{"the referenced anchor is not defined", "a value that starts with * needs quotes"},
    SyntaxHint{"alias not found after *", "a value that starts with * needs quotes"},
    SyntaxHint{"anchor not found after &", "a value that starts with & needs quotes"},
};

void report_syntax(const YAML::ParserException& e, TreeBuilder& builder, std::string_view input,
                   Diagnostics& diagnostics) {
  const Mark at = builder.mark_of(e.mark);
  const std::string_view line = line_of(input, at.line);
  const std::string_view indent = line.substr(0, line.find_first_not_of(" \t"));
  const auto hint = std::ranges::find(syntax_hints, e.msg, &SyntaxHint::message);
  const std::string meaning(hint == syntax_hints.end() ? e.msg : hint->meaning);
  const bool tab = indent.find('\t') != std::string_view::npos;
  diagnostics.error(at, tab ? "not valid YAML: indent with spaces, not with tabs"
                            : text("not valid YAML: ", meaning));
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view name) const {
  if (kind != Kind::map) return nullptr;
  for (const YamlNode& child : children) {
    if (child.key == name) return &child;
  }
  return nullptr;
}

YamlNode* YamlNode::find(std::string_view name) {
  return const_cast<YamlNode*>(std::as_const(*this).find(name));
}

std::optional<YamlNode> read_yaml(std::string_view input, int source, Diagnostics& diagnostics) {
  if (!is_readable(input, source, diagnostics)) return std::nullopt;
  ViewBuffer buffer(input);
  std::istream stream(&buffer);
  TreeBuilder builder(input, source, diagnostics);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const StopReading&) {
    return std::nullopt;
  } catch (const YAML::ParserException& e) {
    report_syntax(e, builder, input, diagnostics);
    return std::nullopt;
  }
  return builder.take();
}

std::optional<YamlNode> read_yaml_value(std::string_view input, int source,
                                        Diagnostics& diagnostics) {
  constexpr std::string_view yaml_starts = "\"'[{";
  if (!input.empty() && yaml_starts.find(input.front()) != std::string_view::npos) {
    return read_yaml(input, source, diagnostics);
  }
  if (!is_readable(input, source, diagnostics)) return std::nullopt;
  const bool null = scalar_kind(input) == ScalarKind::null;
  return YamlNode{.kind = null ? YamlNode::Kind::null : YamlNode::Kind::scalar,
                  .mark = {source, 1, 1},
                  .key = {},
                  .key_mark = {},
                  .scalar = std::string(input),
                  .quoted = false,
                  .children = {}};
}

}  // namespace boostr
