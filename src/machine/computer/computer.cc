#include "machine/computer/computer.h"

#include <algorithm>
#include <type_traits>

#include "base/check.h"

namespace pollux::machine::computer {
namespace {

board::BoardSettings board_settings(const Config& config) {
  board::BoardSettings settings;
  settings.rate = config.rate;
  settings.processors = config.cpus;
  for (const DiskConfig& disk : config.disks) {
    settings.disks.push_back({u32(settings.disks.size()), disk.size_bytes, disk.read_only, disk.serial});
  }
  for (const NicConfig& nic : config.nics) settings.nics.push_back({u32(settings.nics.size()), nic.mac});
  return settings;
}

// Splits a visit into the digests of its outermost components.
class ComponentDigests final : public Visitor {
 public:
  void raw(std::string_view name, std::span<std::byte> bytes) override { current().raw(name, bytes); }
  void sized(std::string_view name, Bytes& bytes) override { current().sized(name, bytes); }
  void enter(std::string_view component) override {
    if (depth_++ == 0) {
      inner_ = {};
      name_ = component;
    } else {
      inner_.enter(component);
    }
  }
  void leave() override {
    if (--depth_ == 0)
      digests_.emplace_back(name_, inner_.digest());
    else
      inner_.leave();
  }
  std::vector<std::pair<std::string, u64>> take() {
    digests_.emplace_back("board", outer_.digest());
    return std::move(digests_);
  }

 private:
  Visitor& current() { return depth_ == 0 ? outer_ : inner_; }

  unsigned depth_ = 0;
  std::string name_;
  DigestVisitor outer_, inner_;
  std::vector<std::pair<std::string, u64>> digests_;
};

}  // namespace

Computer::Computer(Config config, memory::Region region)
    : config_(std::move(config)), memory_(std::move(region)), board_(memory_, board_settings(config_)) {}

Result<void> Computer::add_processors(const EngineMaker& engine) {
  for (u32 n = 0; n < config_.cpus; ++n) {
    Result<std::unique_ptr<cpu::Cpu>> made = engine(memory_, board_.bus(n));
    if (!made) return pass(made);
    cpus_.push_back(std::move(*made));
    board_.connect(n, *cpus_[n]);
  }
  return {};
}

Result<std::unique_ptr<Computer>> Computer::create(Config config, memory::Region region, const EngineMaker& engine) {
  if (auto valid = validate(config); !valid) return pass(valid);
  POLLUX_CHECK(region.size == config.memory_bytes, "the region is the configured memory");
  std::unique_ptr<Computer> computer(new Computer(std::move(config), std::move(region)));
  if (auto added = computer->add_processors(engine); !added) return pass(added);
  if (auto loaded = computer->load_kernel(); !loaded) return pass(loaded);
  return computer;
}

Result<void> Computer::load_kernel() {
  boot::BootRequest request;
  request.kernel = config_.kernel;
  request.initrd = config_.initrd;
  request.command_line = config_.command_line;
  request.hardware.cpus = config_.cpus;
  Result<boot::Booted> booted = boot::load(request, memory_);
  if (!booted) return pass(booted);
  // The guest's memory has them now.
  config_.kernel = Bytes();
  config_.initrd = Bytes();
  kernel_kind_ = booted->kind;
  rng_seed_ = booted->rng_seed;
  cpu().state() = booted->state;
  cpu().state_changed();
  // Firmware gives all processors the same memory types; INIT leaves them.
  for (u32 n = 1; n < config_.cpus; ++n) {
    x86::State& other = cpu(n).state();
    other.mtrr_def_type = booted->state.mtrr_def_type;
    other.mtrr_fixed = booted->state.mtrr_fixed;
    other.mtrr_variable = booted->state.mtrr_variable;
  }
  return {};
}

void Computer::take_entropy(ByteSpan bytes) {
  if (!seeded_ && rng_seed_ && position() == door::Position{}) {
    const ByteSpan seed = bytes.first(std::min<std::size_t>(bytes.size(), boot::kRngSeedBytes));
    memory_.write(*rng_seed_, seed);
    bytes = bytes.subspan(seed.size());
  }
  seeded_ = true;
  board_.entropy().fill(bytes);
}

void Computer::deliver(DeliverKey, const door::Input& input) {
  if (board_.off()) return;
  std::visit(
      [this](const auto& in) {
        using T = std::decay_t<decltype(in)>;
        if constexpr (std::is_same_v<T, door::ClockInput>) {
          board_.set_clock(in.now, in.rate);
        } else if constexpr (std::is_same_v<T, door::PacketInput>) {
          if (auto* nic = board_.nic(in.nic)) nic->receive(in.frame);
        } else if constexpr (std::is_same_v<T, door::DiskCompletionInput>) {
          if (auto* disk = board_.disk(in.disk)) disk->complete(in);
        } else if constexpr (std::is_same_v<T, door::ConsoleInput>) {
          board_.serial().receive(in.bytes);
        } else if constexpr (std::is_same_v<T, door::EntropyInput>) {
          take_entropy(in.bytes);
        } else if constexpr (std::is_same_v<T, door::WallClockInput>) {
          board_.rtc().set_wall_clock(in.unix_ns);
        } else if constexpr (std::is_same_v<T, door::LinkInput>) {
          if (auto* nic = board_.nic(in.nic)) nic->set_link(in.up);
        } else if constexpr (std::is_same_v<T, door::PowerButtonInput>) {
          board_.acpi().press_power_button();
        } else if constexpr (std::is_same_v<T, door::DeviceInput>) {
          auto* disk = board_.disk(in.index);
          if (disk && in.change == door::DeviceChange::kResizeDisk) {
            disk->resize(in.size_bytes);
          } else {
            board_.emit(door::OperatorOutput{"This machine's disks can be resized, not attached or detached."});
          }
        } else {
          static_assert(std::is_same_v<T, door::StopInput>);
          board_.stop();
        }
      },
      input);
  board_.settle();
}

std::vector<door::DiskOutput> Computer::outstanding_disk_requests() {
  std::vector<door::DiskOutput> all;
  for (u32 i = 0; i < config_.disks.size(); ++i) {
    std::ranges::move(board_.disk(i)->outstanding(), std::back_inserter(all));
  }
  return all;
}

void Computer::visit_devices(Visitor& v) {
  v.field("seeded", seeded_);
  for (u32 n = 0; n < config_.cpus; ++n) {
    v.component(config_.cpus == 1 ? "cpu" : "cpu" + std::to_string(n), *cpus_[n]);
  }
  board_.visit(v);
}

// The processors' sums.
std::vector<std::pair<std::string, u64>> Computer::counters() const {
  std::vector<std::pair<std::string, u64>> sums;
  for (const auto& cpu : cpus_) {
    const auto counters = cpu->counters();
    sums.resize(counters.size());
    for (std::size_t n = 0; n < sums.size(); ++n) {
      sums[n].first = counters[n].first;
      sums[n].second += counters[n].second;
    }
  }
  return sums;
}

u64 Computer::digest() {
  DigestVisitor v;
  u64 contents = memory_.digest();
  v.field("memory", contents);
  visit_devices(v);
  return v.digest();
}

std::vector<std::pair<std::string, u64>> Computer::component_digests() {
  ComponentDigests v;
  visit_devices(v);
  auto digests = v.take();
  digests.emplace_back("memory", memory_.digest());
  return digests;
}

void Computer::visit(Visitor& v) {
  v.component("memory", memory_);
  visit_devices(v);
}

}  // namespace pollux::machine::computer
