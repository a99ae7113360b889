#include "trainer/data/jsonl.h"

#include <nlohmann/json.hpp>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

/// Takes "text" from the events of one line's parse. Needs no memory for the rest of the line, and
/// knows duplicate keys and types that a parsed document would hide.
class TextOfLine final : public nlohmann::json_sax<nlohmann::json> {
 public:
  const std::string& value() const { return text_; }
  bool found() const { return found_; }
  const std::string& error() const { return error_; }

  bool null() override { return other("null"); }
  bool boolean(bool) override { return other("a boolean"); }
  bool number_integer(number_integer_t) override { return other("a number"); }
  bool number_unsigned(number_unsigned_t) override { return other("a number"); }
  bool number_float(number_float_t, const string_t&) override { return other("a number"); }
  bool binary(binary_t&) override { return other("binary"); }
  bool start_array(std::size_t) override { return other("an array") && enter(); }
  bool start_object(std::size_t) override { return (depth_ == 0 || other("an object")) && enter(); }
  bool end_array() override { return leave(); }
  bool end_object() override { return leave(); }

  bool string(string_t& value) override {
    if (depth_ == 0) return other("a string");
    if (is_text_) text_ = std::move(value);
    is_text_ = false;
    return true;
  }

  bool key(string_t& name) override {
    is_text_ = depth_ == 1 && name == "text";
    if (!is_text_) return true;
    if (found_) return fail("the key \"text\" occurs twice");
    found_ = true;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& cause) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 5: what happened": the end is
    // of use here.
    const std::string_view whole = cause.what();
    const std::size_t colon = whole.find(": ");
    return fail(text("column ", position, ": ",
                     colon == std::string_view::npos ? whole : whole.substr(colon + 2)));
  }

 private:
  /// A value that is not a string, or that is no object at the top.
  bool other(const char* what) {
    if (depth_ == 0) return fail(text("expected an object with a \"text\", found ", what));
    if (is_text_) return fail(text("\"text\" is ", what, "; expected a string"));
    return true;
  }
  bool enter() {
    ++depth_;
    return true;
  }
  bool leave() {
    --depth_;
    return true;
  }
  bool fail(std::string why) {
    error_ = std::move(why);
    return false;
  }

  int depth_ = 0;
  bool is_text_ = false;  ///< the value that follows is that of "text"
  bool found_ = false;
  std::string text_;
  std::string error_;
};

}  // namespace

void read_jsonl(std::string_view contents, const std::string& path,
                const std::function<void(std::string_view)>& document, std::size_t longest_line) {
  for (std::int64_t number = 1; !contents.empty(); ++number) {
    const std::size_t end = std::min(contents.find('\n'), contents.size());
    const std::string_view line = contents.substr(0, end);
    contents.remove_prefix(std::min(end + 1, contents.size()));
    const auto reject = [&](const std::string& why) {
      throw Error(ExitCode::data, text(path, ":", number, ": error: ", why));
    };
    if (line.size() > longest_line) {
      reject(text("a line of ", line.size(), " bytes; at most ", longest_line, " are read"));
    }
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
      reject("an empty line; expected an object with a \"text\"");
    }
    TextOfLine parsed;
    nlohmann::json::sax_parse(line.begin(), line.end(), &parsed);
    if (!parsed.error().empty()) reject(parsed.error());
    if (!parsed.found()) reject("no \"text\" in this object");
    document(parsed.value());
  }
}

}  // namespace boostr
