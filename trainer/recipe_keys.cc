#include "trainer/recipe_keys.h"

#include <utility>

#include "kernels/runtime/error.h"
#include "trainer/recipe_fields.h"
#include "trainer/recipe_value.h"

namespace boostr {

namespace {

struct KeyLister {
  std::string section;
  std::vector<std::string> keys;

  template <class T>
  void operator()(const ConfigField& field, const T& value) {
    constexpr ValueKind kind = kind_of<T>();
    const std::string path = text(section, section.empty() ? "" : ".", field.key);
    keys.push_back(path);
    if constexpr (kind == ValueKind::section) {
      inside(path, value);
    } else if constexpr (kind == ValueKind::section_list) {
      inside(path, typename T::value_type{});
    }
  }

  template <class Section>
  void inside(const std::string& path, const Section& values) {
    const std::string outer = std::exchange(section, path);
    fields(values, *this);
    section = outer;
  }
};

}  // namespace

const std::vector<std::string>& recipe_keys() {
  static const std::vector<std::string> keys = [] {
    KeyLister lister;
    lister.inside("", Recipe{});
    return std::move(lister.keys);
  }();
  return keys;
}

}  // namespace boostr
