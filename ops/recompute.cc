#include <utility>

#include "ops/autograd.h"
#include "ops/node.h"

namespace boostr {

Tensor recompute(std::function<Tensor(const Tensor&)> f, const Tensor& x) {
  if (!grad_enabled()) return f(x);
  auto segment = std::make_unique<Segment>();
  Tensor y;
  {
    const ScopedRecording noting({.mode = Recording::noting_uses, .noted = &segment->inputs});
    y = f(x);
  }
  if (segment->inputs.empty()) return y;
  auto node = std::make_shared<Node>("recompute", y, false);
  node->reads.push_back({x.storage(), x.storage()->version});
  for (const std::shared_ptr<Node>& input : segment->inputs)
    if (input->leaf)
      node->reads.push_back({input->leaf->value.storage(), input->leaf->value.storage()->version});
  segment->replay = [f = std::move(f), x] { return f(x); };
  node->segment = std::move(segment);
  return y.with_node(std::move(node));
}

}  // namespace boostr
