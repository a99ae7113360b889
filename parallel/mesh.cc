#include "parallel/mesh.h"

namespace boostr {
namespace {

std::string listed(const MeshDegrees& degrees) {
  return text("pipeline_parallel_degree ", degrees.pipeline, " x data_parallel_replicate_degree ",
              degrees.replicate, " x data_parallel_shard_degree ", degrees.shard,
              " x tensor_parallel_degree ", degrees.tensor);
}

}  // namespace

MeshDegrees resolved(MeshDegrees degrees, int ranks) {
  int* inferred = nullptr;
  int product = 1;
  for (int* degree : {&degrees.pipeline, &degrees.replicate, &degrees.shard, &degrees.tensor}) {
    if (*degree == -1) {
      require(inferred == nullptr, ExitCode::usage,
              "only one degree of the mesh can be -1 (inferred): ", listed(degrees));
      inferred = degree;
    } else {
      require(*degree >= 1, ExitCode::usage,
              "a degree of the mesh must be positive or -1: ", listed(degrees));
      product *= *degree;
    }
  }
  if (inferred != nullptr) {
    require(ranks % product == 0, ExitCode::usage, "the mesh does not fit: ", listed(degrees),
            " needs a multiple of ", product, " ranks, and there are ", ranks);
    *inferred = ranks / product;
    product = ranks;
  }
  require(product == ranks, ExitCode::usage, "the mesh does not fit: ", listed(degrees), " = ",
          product, " ranks, and there are ", ranks, "; start ", product,
          " ranks or set data_parallel_shard_degree: -1");
  return degrees;
}

Mesh::Mesh(Communicator& world, const MeshDegrees& degrees)
    : world_(world), degrees_(resolved(degrees, world.size())) {
  const int rank = world.rank();
  const int tp_size = degrees_.tensor, dp_size = degrees_.replicate * degrees_.shard;
  const int tp = rank % tp_size, dp = rank / tp_size % dp_size, pp = rank / (tp_size * dp_size);
  pp_ = world.split(dp * tp_size + tp, rank, "pp");
  dp_ = world.split(pp * tp_size + tp, rank, "dp");
  replicate_ = dp_->split(dp % degrees_.shard, dp, "replicate");
  shard_ = dp_->split(dp / degrees_.shard, dp, "shard");
  tp_ = world.split(pp * dp_size + dp, rank, "tp");
  model_ = world.split(dp, rank, "model");
}

std::string Mesh::describe() const {
  return text(R"({"pipeline_parallel_degree": )", degrees_.pipeline,
              R"(, "data_parallel_replicate_degree": )", degrees_.replicate,
              R"(, "data_parallel_shard_degree": )", degrees_.shard,
              R"(, "tensor_parallel_degree": )", degrees_.tensor, "}");
}

std::string Mesh::label() const {
  return text("[rank ", world_.rank(), "/", world_.size(), " dp ", dp_->rank(), " tp ", tp_->rank(),
              " pp ", pp_->rank(), "]");
}

}  // namespace boostr
