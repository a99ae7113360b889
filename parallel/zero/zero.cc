#include "parallel/zero/zero.h"

#include "kernels/runtime/memory_ledger.h"

namespace boostr {

Zero::Zero(const ModelShare& share, const DataParallelGroups& groups, Communicator& model_group,
           const ZeroOptions& options)
    : layouts_(bucket_layouts(share, options.stage == 0 ? 1 : groups.shard.size(),
                              options.bucket_bytes)),
      sums_(share, layouts_, groups.shard, model_group) {
  require(options.stage >= 0 && options.stage <= 3, ExitCode::usage, "zero_stage ", options.stage,
          " does not exist; choose 0, 1, 2 or 3");
  // A group of one has nothing to divide: its only piece is the whole.
  const bool divides = groups.shard.size() > 1;
  {
    const CountMemoryAs scope(MemoryUse::parameters);
    values_ = options.stage == 3 && divides ? sharded_parameters(layouts_, groups.shard)
                                            : whole_parameters(layouts_, groups.shard);
  }
  {
    const CountMemoryAs scope(MemoryUse::gradients);
    gradients_ = options.stage >= 2 && divides ? scattered_gradients(layouts_, groups)
                                               : whole_gradients(layouts_, groups);
  }
  const int piece_owners = options.stage == 0 ? groups.shard.size() : 1;
  const int among_them = options.stage == 0 ? groups.shard.rank() : 0;
  owners_ = {groups.replicate.rank() * piece_owners + among_them,
             groups.replicate.size() * piece_owners};
  for (std::size_t bucket = 0; bucket < layouts_.size(); ++bucket) {
    const FlatLayout& layout = layouts_[bucket];
    for (const FlatPart& part : parts_of_piece(layout, layout.piece_of(groups.shard.rank())))
      owned_.push_back({part.parameter, share.index_of(part.parameter), part.begin, part.numel,
                        values_->owned(bucket).rows(part.piece_begin, part.numel),
                        gradients_->owned(bucket).rows(part.piece_begin, part.numel)});
  }
}

void Zero::reduce_gradients() {
  gradients_->finish();
  values_->release();
}

}  // namespace boostr
