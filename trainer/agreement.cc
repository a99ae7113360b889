#include "trainer/agreement.h"

namespace boostr {
namespace {

double reduced(Communicator& group, double value, ReduceOp op) {
  group.all_reduce(Out{&value, DType::f64, Shape{1}}, op).wait();
  return value;
}

}  // namespace

double all_ranks_sum(Communicator& group, double value) {
  return reduced(group, value, ReduceOp::sum);
}
double all_ranks_max(Communicator& group, double value) {
  return reduced(group, value, ReduceOp::max);
}

}  // namespace boostr
