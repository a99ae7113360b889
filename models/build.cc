#include "models/build.h"

#include "models/llama.h"

namespace boostr {

std::string tensor_parallel_problem(const ModelConfig& config, int ranks) {
  return tensor_parallel_problem(config.llama, ranks);
}

std::unique_ptr<Model> build_model(const ModelConfig& config, std::int64_t max_seq_len, DType dtype,
                                   TensorParallel& tp) {
  if (config.type == "llama") return std::make_unique<Llama>(config.llama, max_seq_len, dtype, tp);
  throw Error(ExitCode::usage,
              text("unknown model.type '", config.type, "'; this build has llama"));
}

}  // namespace boostr
