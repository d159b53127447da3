#include "guest.h"

#include "base/check.h"
#include "cpu/interpret/make_interpreter.h"
#include "host/code_memory.h"

namespace pollux::test {

using memory::PhysAddr;

namespace {

// Guest-physical pages.
constexpr u64 kPml4 = 0x1000, kPdpt = 0x2000, kPd = 0x3000, kPtCode = 0x4000, kPtData = 0x5000, kPtReadOnly = 0x6000,
              kPtLow = 0x7000, kGdt = 0x8000, kIdt = 0x9000, kTss = 0xa000, kHandlers = 0xb000, kStackTop = 0xd000,
              kCodeFrame = 0x10000, kDataFrame = 0x11000, kReadOnlyFrame = 0x13000;
// The supervisor's pages 0 to 0xffff appear here, where no random address is.
constexpr u64 kSupervisor = 0x3140'0000;
constexpr u64 kPresent = 1, kWrite = 2, kUser = 4, kNoExecute = u64{1} << 63;

constexpr u8 kHalt = 0xf4;

// As Linux has them, so that what an instruction sees of selectors is the same.
constexpr u16 kKernelCode = 0x08, kKernelData = 0x10, kUserCode32 = 0x23, kUserData = 0x2b, kUserCode64 = 0x33,
              kTask = 0x40;
constexpr u16 kCode64Attributes = 0xa09b, kCode32Attributes = 0xc09b, kDataAttributes = 0xc093, kDpl3 = 0x60;

u64 descriptor(u16 attributes) { return u64(attributes & 0xf0ff) << 40 | u64(0xf) << 48 | 0xffff; }

u64 data_frame(u64 address) { return kDataFrame + (address - kData); }

}  // namespace

Guest::Guest(Engine engine) : memory_(memory::heap_region(1 << 20)) {
  if (engine == Engine::kTranslate) {
    const auto code = host::map_code_memory(1 << 20);  // little, so that it is flushed often
    POLLUX_CHECK(code, "no memory for translated code");
    auto translator = std::make_unique<cpu::translate::Translator>(memory_, bus_, *code, cpu::translate::kImpatient);
    translator_ = translator.get();
    cpu_ = std::move(translator);
  } else {
    cpu_ = cpu::interpret::make_interpreter(memory_, bus_);
  }
  build_memory();
  build_state();
}

void Guest::build_memory() {
  const auto entry = [&](u64 table, u64 index, u64 value) { memory_.store(PhysAddr(table + 8 * index), value); };
  constexpr u64 kTable = kPresent | kWrite | kUser;
  entry(kPml4, 0, kPdpt | kTable);
  entry(kPdpt, 0, kPd | kTable);
  entry(kPd, kSupervisor >> 21, kPtLow | kTable);
  entry(kPd, kCodePage >> 21, kPtCode | kTable);
  entry(kPd, kData >> 21, kPtData | kTable);
  entry(kPd, kReadOnly >> 21, kPtReadOnly | kTable);
  entry(kPtCode, kCodePage >> 12 & 511, kCodeFrame | kPresent | kUser);
  entry(kPtData, 0, kDataFrame | kTable | kNoExecute);
  entry(kPtData, 1, (kDataFrame + 0x1000) | kTable | kNoExecute);
  entry(kPtReadOnly, kReadOnly >> 12 & 511, kReadOnlyFrame | kPresent | kUser | kNoExecute);
  for (u64 page = 0; page < 16; ++page) entry(kPtLow, page, page << 12 | kPresent | kWrite);

  entry(kGdt, kKernelCode >> 3, descriptor(kCode64Attributes));
  entry(kGdt, kKernelData >> 3, descriptor(kDataAttributes));
  entry(kGdt, kUserCode32 >> 3, descriptor(kCode32Attributes | kDpl3));
  entry(kGdt, kUserData >> 3, descriptor(kDataAttributes | kDpl3));
  entry(kGdt, kUserCode64 >> 3, descriptor(kCode64Attributes | kDpl3));
  for (u64 vector = 0; vector < 32; ++vector) {
    const u64 handler = kSupervisor + kHandlers + 16 * vector;
    entry(kIdt, 2 * vector,
          (handler & 0xffff) | u64(kKernelCode) << 16 | u64(0x8e00) << 32 | (handler >> 16 & 0xffff) << 48);
    entry(kIdt, 2 * vector + 1, 0);
    memory_.store(PhysAddr(handler - kSupervisor), kHalt);
  }
  memory_.store(PhysAddr(kTss + 4), kSupervisor + kStackTop);
  std::array<u8, 4096> filled;
  filled.fill(kHalt);
  memory_.store(PhysAddr(kCodeFrame), filled);
}

void Guest::build_state() {
  x86::State& s = base_;
  s.reset();
  s.cr0 = x86::kCr0Pe | x86::kCr0Mp | x86::kCr0Et | x86::kCr0Ne | x86::kCr0Wp | x86::kCr0Am | x86::kCr0Pg;
  s.cr3 = kPml4;
  s.cr4 = x86::kCr4Pae | x86::kCr4Osfxsr | x86::kCr4Osxmmexcpt | x86::kCr4Osxsave;
  s.efer = x86::kEferSce | x86::kEferLme | x86::kEferLma | x86::kEferNxe;
  s.xcr0 = 3;
  s.gdtr = {kSupervisor + kGdt, 0xff, {}};
  s.idtr = {kSupervisor + kIdt, 32 * 16 - 1, {}};
  const x86::Segment data{kUserData, kDataAttributes | kDpl3, 0xffffffff, 0};
  for (const auto name : {x86::kEs, x86::kSs, x86::kDs}) s.segment[name] = data;
  s.segment[x86::kFs] = s.segment[x86::kGs] = {0, 0, 0, 0};
  s.segment[x86::kTr] = {kTask, 0x8b, 103, kSupervisor + kTss};
  s.segment[x86::kLdtr] = {0, 0x82, 0, 0};
}

void Guest::load(const Input& in) {
  memory_.store(PhysAddr(data_frame(kWindow)), in.window);
  memory_.store(PhysAddr(data_frame(kEdge)), in.edge);
  std::array<u8, 16> code;
  code.fill(kHalt);
  std::copy_n(in.code.begin(), in.length, code.begin());
  memory_.store(PhysAddr(kCodeFrame + (kCodeAt & 4095)), code);
  x86::State& s = cpu_->state();
  s = base_;
  const bool wide = in.code_bits == 64;
  s.segment[x86::kCs] = {wide ? kUserCode64 : kUserCode32, u16((wide ? kCode64Attributes : kCode32Attributes) | kDpl3),
                         0xffffffff, 0};
  s.gpr = in.state.gpr;
  s.rip = in.state.rip;
  s.rflags = in.state.rflags;
  const Fx& fx = in.state.fx;
  for (unsigned n = 0; n < 16; ++n) s.xmm[n] = {fx.xmm[n].low, fx.xmm[n].high};
  s.mxcsr = fx.mxcsr;
  s.x87.control = fx.control;
  s.x87.status = fx.status;
  s.x87.tag = u8(fx.tag);
  for (unsigned n = 0; n < 8; ++n) {
    s.x87.registers[((fx.status >> 11) + n) & 7] = {fx.st[n].low, u16(fx.st[n].high), {}};
  }
  cpu_->state_changed();
}

void Guest::run(const Input& in, Output& out) {
  if (translator_) {
    std::array<u8, 0x2000> data;
    memory_.load(PhysAddr(kDataFrame), data);
    if (run_translated(in, out)) return;
    memory_.store(PhysAddr(kDataFrame), data);  // what else has run may have written anywhere
  }
  load(in);
  const cpu::StopReason reason = cpu_->run(cpu_->position() + 1);
  take_state(out);
  if (reason == cpu::StopReason::kShutdown) {
    out.vector = kShutdown;
  } else if (cpu_->state().rip - kSupervisor - kHandlers < 0x1000) {
    take_exception(out);
  }
}

// False: more than the instruction has run.
bool Guest::run_translated(const Input& in, Output& out) {
  load(in);
  const u64 before = cpu_->position().value, counted = translator_->counts().translated_instructions;
  if (cpu_->run(cpu_->position() + 1000) != cpu::StopReason::kHalted) return false;
  const u64 retired = cpu_->position().value - before - 1;  // the handler's HLT is one
  if (retired > 1) return false;
  translated_ += translator_->counts().translated_instructions - counted;
  take_state(out);
  take_exception(out);
  if (retired == 1) out.vector = -1, out.error = 0;
  return true;
}

void Guest::take_exception(Output& out) {
  const x86::State& s = cpu_->state();
  out.vector = i32((s.rip - kSupervisor - kHandlers) / 16);
  u64 frame = s.gpr[x86::kRsp] - kSupervisor;
  const auto pop = [&] {
    u64 value = 0;
    memory_.load(PhysAddr(frame), value);
    frame += 8;
    return value;
  };
  if (x86::has_error_code(x86::Exception(out.vector))) out.error = u32(pop());
  out.state.rip = pop();
  pop();
  out.state.rflags = pop();
  out.state.gpr[x86::kRsp] = pop();
}

void Guest::take_state(Output& out) {
  const x86::State& s = cpu_->state();
  out.state.gpr = s.gpr;
  out.state.rip = s.rip;
  out.state.rflags = s.rflags;
  out.vector = -1;
  out.error = 0;
  out.address = s.cr2;
  Fx& fx = out.state.fx;
  fx = {};
  for (unsigned n = 0; n < 16; ++n) fx.xmm[n] = {s.xmm[n].low, s.xmm[n].high};
  fx.mxcsr = s.mxcsr;
  fx.control = s.x87.control;
  fx.status = s.x87.status;
  fx.tag = s.x87.tag;
  for (unsigned n = 0; n < 8; ++n) {
    const x86::X87Register& value = s.x87.registers[((fx.status >> 11) + n) & 7];
    fx.st[n] = {value.significand, value.sign_exponent};
  }
  memory_.load(PhysAddr(data_frame(kWindow)), out.window);
  memory_.load(PhysAddr(data_frame(kEdge)), out.edge);
}

}  // namespace pollux::test
