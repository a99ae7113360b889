#include "ops/transient.h"

#include <utility>

#include "ops/autograd.h"

namespace boostr {

Transient::Transient(std::function<Tensor()> f, bool keep) : y_(f()) {
  if (!keep && y_.node() != nullptr) f_ = std::move(f);
}

Transient::~Transient() {
  if (!f_) return;
  Storage& storage = *y_.storage();
  storage.buffer = {};
  storage.data = nullptr;
  storage.on_access = [f = std::move(f_)](Storage& given_up) {
    if (given_up.data != nullptr) return;
    const NoGrad no_grad;
    const Tensor again = f();
    given_up.buffer = again.storage()->buffer;
    given_up.data = given_up.buffer.data();
  };
}

}  // namespace boostr
