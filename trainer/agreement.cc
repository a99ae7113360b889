#include "trainer/agreement.h"

#include "parallel/comm/reduced_numbers.h"

namespace boostr {
double all_ranks_sum(Communicator& group, double value) {
  return ReducedNumbers(group, {value}).wait().front();
}
double all_ranks_max(Communicator& group, double value) {
  return ReducedNumbers(group, {value}, ReduceOp::max).wait().front();
}

}  // namespace boostr
