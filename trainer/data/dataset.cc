#include "trainer/data/dataset.h"

#include <algorithm>
#include <cmath>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

/// Keys the order of validation samples; not the run's seed, so that runs with different seeds can
/// be compared.
constexpr std::uint64_t validation_key = 0x76616c6964;

/// Fills a row of a validation batch that has no sample.
constexpr SampleId padding{-1, 0};

std::string source_key(const char* list, std::size_t index) {
  return text("data.", list, "[", index, "]");
}

}  // namespace

Dataset::Dataset(const DataSection& section, const Tokenizer& tokenizer,
                 const DatasetOptions& options)
    : options_(options), packing_(section.packing) {
  const double fraction = section.validation_fraction;
  require(!section.train.empty(), ExitCode::usage, "data.train: no source is given");
  require(fraction >= 0 && fraction < 1, ExitCode::usage, "data.validation_fraction is ", fraction,
          "; expected [0, 1)");
  require(fraction == 0 || section.validation.empty(), ExitCode::usage,
          "data.validation_fraction and data.validation exclude each other");
  const SourceOptions source_options{options.vocab_size, options.seq_len, section.packing};
  for (std::size_t i = 0; i < section.train.size(); ++i) {
    sources_.emplace_back(section.train[i], source_key("train", i), tokenizer, source_options);
    weights_.push_back(section.train[i].weight);
    training_samples_.push_back(sources_.back().num_samples());
  }
  for (std::size_t i = 0; i < section.validation.size(); ++i) {
    sources_.emplace_back(section.validation[i], source_key("validation", i), tokenizer,
                          source_options);
    add_validation(sources_.size() - 1, 0);
  }
  if (fraction > 0) split_off_validation(fraction);
}

void Dataset::add_validation(std::size_t source, std::int64_t first) {
  validation_parts_.push_back({static_cast<std::int32_t>(source), first});
  validation_starts_.push_back(validation_starts_.back() + sources_[source].num_samples() - first);
}

void Dataset::split_off_validation(double fraction) {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const std::int64_t samples = sources_[i].num_samples();
    require(samples >= 2, ExitCode::data, source_key("train", i), ": '", sources_[i].name(),
            "' is one sequence long; data.validation_fraction ", fraction, " needs at least two");
    const auto wanted = static_cast<std::int64_t>(std::llround(fraction * double(samples)));
    training_samples_[i] = samples - std::clamp<std::int64_t>(wanted, 1, samples - 1);
    add_validation(i, training_samples_[i]);
  }
}

std::vector<SourceReport> Dataset::report() const {
  std::vector<SourceReport> report;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const Source& source = sources_[i];
    const bool is_validation = i >= training_samples_.size();
    const std::int64_t training = is_validation ? 0 : training_samples_[i];
    const bool is_split = is_validation || training < source.num_samples();
    report.push_back({source.name(), is_validation, source.num_files(), source.num_documents(),
                      source.num_tokens(), training,
                      is_split ? source.num_samples() - training : 0});
  }
  return report;
}

std::vector<SourceShare> Dataset::shares() const {
  std::vector<SourceShare> shares;
  for (std::size_t i = 0; i < training_samples_.size(); ++i) {
    shares.push_back({sources_[i].name(), weights_[i], training_samples_[i]});
  }
  return shares;
}

void Dataset::read_row(const SampleId& id, std::int64_t row, Batch& batch,
                       std::vector<std::int32_t>& tokens) const {
  const auto length = static_cast<std::size_t>(options_.seq_len);
  const std::size_t begin = std::size_t(row) * length;
  std::vector<std::int32_t> documents(packing_ ? length + 1 : 0);
  sources_[id.source].read_sample(id.sample, tokens, documents);
  for (std::size_t i = 0; i < length; ++i) {
    batch.input_ids[begin + i] = tokens[i];
    batch.targets[begin + i] = tokens[i + 1];
    if (!packing_) continue;
    batch.documents[begin + i] = documents[i];
    // The last token of a document says nothing about the first of the next.
    if (documents[i] != documents[i + 1]) batch.targets[begin + i] = ignored_target;
  }
}

Batch Dataset::read(std::span<const SampleId> ids) const {
  const std::size_t size = ids.size() * std::size_t(options_.seq_len);
  Batch batch;
  batch.batch = std::int64_t(ids.size());
  batch.seq_len = options_.seq_len;
  batch.input_ids.resize(size);
  batch.targets.resize(size, ignored_target);
  batch.documents.resize(packing_ ? size : 0);
  std::vector<std::int32_t> tokens(std::size_t(options_.seq_len) + 1);
  for (std::size_t row = 0; row < ids.size(); ++row) {
    if (ids[row] != padding) read_row(ids[row], std::int64_t(row), batch, tokens);
  }
  batch.num_targets =
      std::int64_t(size) - std::count(batch.targets.begin(), batch.targets.end(), ignored_target);
  return batch;
}

std::int64_t Dataset::num_validation_batches(std::int64_t global_batch) const {
  return (num_validation_samples() + global_batch - 1) / global_batch;
}

Batch Dataset::validation_batch(std::int64_t index, const RankSlice& slice) const {
  expect(index >= 0 && index < num_validation_batches(slice.global_batch), "validation batch ",
         index, " of ", num_validation_batches(slice.global_batch));
  const Permutation order(num_validation_samples(), validation_key);
  std::vector<SampleId> ids;
  for (std::int64_t i = 0; i < slice.count(); ++i) {
    const std::int64_t place = index * slice.global_batch + slice.first() + i;
    if (place >= num_validation_samples()) {
      ids.push_back(padding);
      continue;
    }
    const std::int64_t sample = order(place);
    const auto after =
        std::upper_bound(validation_starts_.begin(), validation_starts_.end(), sample);
    const auto part = std::size_t(after - validation_starts_.begin()) - 1;
    ids.push_back({validation_parts_[part].source,
                   validation_parts_[part].first + sample - validation_starts_[part]});
  }
  return read(ids);
}

std::vector<double> Dataset::frequencies(std::size_t source, std::int64_t most) const {
  std::vector<std::int64_t> counts(std::size_t(options_.vocab_size), 0);
  std::vector<std::int32_t> tokens(std::size_t(options_.seq_len) + 1);
  const std::int64_t samples =
      std::clamp<std::int64_t>(most / options_.seq_len, 1, training_samples_[source]);
  for (std::int64_t i = 0; i < samples; ++i) {
    sources_[source].read_sample(i, tokens, {});
    for (std::size_t t = 1; t < tokens.size(); ++t) ++counts[std::size_t(tokens[t])];
  }
  std::vector<double> result(counts.begin(), counts.end());
  for (double& value : result) value /= double(samples * options_.seq_len);
  return result;
}

double Dataset::unigram_entropy(std::int64_t most) const {
  std::vector<double> mixed(std::size_t(options_.vocab_size), 0.0);
  double total = 0;
  for (const double weight : weights_) total += weight;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (weights_[i] == 0) continue;
    const std::vector<double> own = frequencies(i, most);
    for (std::size_t id = 0; id < mixed.size(); ++id) mixed[id] += weights_[i] / total * own[id];
  }
  double entropy = 0;
  for (const double p : mixed) {
    if (p > 0) entropy -= p * std::log(p);
  }
  return entropy;
}

}  // namespace boostr
