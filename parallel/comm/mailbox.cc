#include "parallel/comm/mailbox.h"

#include <cstring>
#include <utility>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

class Finished final : public Operation {
  Step advance() override { return Step::done; }
};

class Receive final : public Operation {
 public:
  Receive(std::shared_ptr<Mailbox> mailbox, const Mailbox::Address& address, const Call& call)
      : mailbox_(std::move(mailbox)), address_(address), call_(call) {}

 private:
  Step advance() override {
    const std::optional<std::vector<std::byte>> message = mailbox_->take(address_);
    if (!message) return Step::waiting;
    require(message->size() == call_.piece_bytes(), ExitCode::communication, "rank ",
            address_.destination, " expects ", call_.piece_bytes(), " bytes in its ",
            call_.signature, ", tag ", address_.tag, ", but ", message->size(), " were sent");
    if (!message->empty()) std::memcpy(call_.output, message->data(), message->size());
    return Step::done;
  }

  std::shared_ptr<Mailbox> mailbox_;
  Mailbox::Address address_;
  Call call_;
};

}  // namespace

void Mailbox::put(const Address& address, std::vector<std::byte> message) {
  const std::lock_guard lock(mutex_);
  messages_[address].push_back(std::move(message));
}

std::optional<std::vector<std::byte>> Mailbox::take(const Address& address) {
  const std::lock_guard lock(mutex_);
  const auto found = messages_.find(address);
  if (found == messages_.end()) return std::nullopt;
  std::vector<std::byte> message = std::move(found->second.front());
  found->second.pop_front();
  if (found->second.empty()) messages_.erase(found);
  return message;
}

std::shared_ptr<Operation> mail_send(Mailbox& mailbox, int rank, const Call& call,
                                     Progress& progress) {
  mailbox.put({.source = rank, .destination = call.signature.peer, .tag = call.tag},
              std::vector<std::byte>(call.input, call.input + call.piece_bytes()));
  return finished_operation(progress);
}

std::shared_ptr<Operation> mail_recv(std::shared_ptr<Mailbox> mailbox, int rank, const Call& call,
                                     Progress& progress) {
  const Mailbox::Address address{
      .source = call.signature.peer, .destination = rank, .tag = call.tag};
  auto operation = std::make_shared<Receive>(std::move(mailbox), address, call);
  progress.start(operation);
  return operation;
}

std::shared_ptr<Operation> finished_operation(Progress& progress) {
  auto operation = std::make_shared<Finished>();
  progress.start(operation);
  return operation;
}

}  // namespace boostr
