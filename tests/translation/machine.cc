#include "machine.h"

#include "base/check.h"
#include "base/checksum.h"
#include "cpu/check/make_checker.h"
#include "cpu/interpret/make_interpreter.h"
#include "handlers.h"
#include "host/code_memory.h"

namespace pollux::test::translation {

using memory::PhysAddr;

namespace {

u64 mix(u64 a, u64 b) {
  a = (a ^ b) * 0x9e3779b97f4a7c15;
  return a ^ a >> 29;
}

u64 descriptor(u16 attributes) { return u64(attributes & 0xf0ff) << 40 | u64(0xf) << 48 | 0xffff; }

memory::CodeRegion code_region(u64 bytes) {
  const auto code = host::map_code_memory(bytes);
  POLLUX_CHECK(code, "no memory for translated code");
  return *code;
}

// limit: in pages of 4 KiB.
u64 short_descriptor(u16 attributes, u64 limit, u64 base) {
  return (descriptor(attributes) & ~(u64(0xf) << 48 | 0xffff)) | (limit & 0xffff) | (limit >> 16) << 48 | base << 16;
}

constexpr u16 kCode64 = 0xa09b, kCode32 = 0xc09b, kDataSegment = 0xc093, kReadOnlySegment = 0xc091, kDownSegment = 0xc097,
              kDpl3 = 0x60;

}  // namespace

Machine::Machine(Engine engine, u64 code_bytes) : memory_(memory::heap_region(kMemoryBytes)) {
  if (engine == Engine::kInterpret) cpu_ = cpu::interpret::make_interpreter(memory_, *this);
  if (engine == Engine::kTranslate) {
    auto translator = std::make_unique<cpu::translate::Translator>(memory_, bus(), code_region(code_bytes), cpu::translate::kImpatient);
    translator_ = translator.get();
    cpu_ = std::move(translator);
  }
  if (engine == Engine::kCheck) {
    const auto translator = cpu::check::translator_subject(code_region(code_bytes), cpu::translate::kImpatient);
    cpu_ = std::make_unique<cpu::check::Checker>(memory_, bus(), translator, nullptr);
  }
  build();
}

void Machine::build() {
  template_.resize(kMemoryBytes);
  const auto put = [&](u64 at, u64 value) { std::memcpy(&template_[at], &value, 8); };
  constexpr u64 kAll = kPresent | kWrite | kUser;
  put(kPml4, kPdpt | kAll);
  put(kPdpt, kPd | kAll);
  put(kPd, kLowTable | kAll);
  put(kPdpt + 8 * (kTop >> 30), kTopPd | kAll);
  put(kTopPd + 8 * (kTop >> 21 & 511), kTopTable | kAll);
  for (unsigned page = 0; page < 2; ++page) {
    put(kTopTable + 8 * (510 + page), page_use(kTopCodePage + page).physical | kAll);
  }
  put(kPd + 8 * (kRegion >> 21), kRegionTable | kAll);
  put(kPml4 + 8 * 511, kPdpt | kAll);
  for (const u64 n : {kFar >> 30, u64{511}}) put(kPdpt + 8 * n, kFarPd | kAll);
  for (const u64 n : {kRegion >> 21, u64{511}}) put(kFarPd + 8 * n, kFarTable | kAll);
  for (u64 page = 0; page < 512; ++page) put(kFarTable + 8 * page, page_use(kOtherCodePage).physical | kAll);
  for (u64 page = 0; page < 32; ++page) put(kLowTable + 8 * page, page << 12 | kPresent | kWrite);
  for (unsigned page = 0; page < kRegionPages; ++page) {
    const PageUse use = page_use(page);
    put(kRegionTable + 8 * page, use.rights ? use.physical | use.rights : 0);
    put(kDefaults + 8 * page, use.physical | (use.rights ? use.rights : kAll));
  }
  for (unsigned page = 0; page < kCodePages; ++page) {
    put(kRegionTable + 8 * (page + ((kMirror - kRegion) >> 12)), page_use(page == 1 ? kOtherCodePage : page).physical | kAll);
  }
  put(kGdt + 0x08, descriptor(kCode64));
  put(kGdt + 0x10, descriptor(kDataSegment));
  put(kGdt + 0x18, descriptor(kDataSegment | kDpl3));
  put(kGdt + 0x20, descriptor(kCode64 | kDpl3));
  put(kGdt + 0x30, descriptor(kCode32 | kDpl3));
  put(kGdt + 0x38, descriptor(kReadOnlySegment | kDpl3));
  put(kGdt + 0x40, short_descriptor(kDataSegment | kDpl3, (kData >> 12) + 1, 0));
  put(kGdt + 0x48, short_descriptor(kDataSegment | kDpl3, 0xfffff, kData));
  put(kGdt + 0x50, short_descriptor(kDownSegment | kDpl3, kData >> 12, 0));
  const auto gate = [&](unsigned vector) {
    const u64 handler = kHandlers + handler_offset(vector), ist = vector == 2 ? 2 : 1;
    put(kIdt + 16 * vector, (handler & 0xffff) | u64(0x08) << 16 | ist << 32 | u64(0xee00) << 32);
  };
  for (unsigned vector = 0; vector < 32; ++vector) gate(vector);
  gate(kInterruptVector);
  gate(kEndVector);
  put(kTss + 4, kStackTop);
  put(kTss + 0x24, kStackTop);
  put(kTss + 0x2c, kNmiStackTop);
  std::memcpy(&template_[kHandlers], handlers().data(), handlers().size());
  // Data: integers small and large, single and double numbers, addresses.
  Random random(99);
  for (u64 at = 0x30000; at < 0x40000; at += 8) {
    switch (random.below(6)) {
      case 0: put(at, random.below(256)); break;
      case 1: put(at, std::bit_cast<u64>(double(i64(random.next()) >> random.below(60)) / 8)); break;
      case 2: put(at, u64(std::bit_cast<u32>(float(random.below(1000)))) << 32 | std::bit_cast<u32>(-1.5f)); break;
      case 3: put(at, kData + random.below(0x1000)); break;
      case 4: put(at, random.below(2) ? ~random.below(300) : u64{1} << random.below(64)); break;
      default: put(at, random.next()); break;
    }
  }
  touched_.set();

  x86::State& s = base_;
  s.reset();
  s.cr0 = x86::kCr0Pe | x86::kCr0Mp | x86::kCr0Et | x86::kCr0Ne | x86::kCr0Pg;
  s.cr3 = kPml4;
  s.cr4 = x86::kCr4Pae | x86::kCr4Osfxsr | x86::kCr4Osxmmexcpt | x86::kCr4Osxsave | x86::kCr4Fsgsbase;
  s.efer = x86::kEferSce | x86::kEferLme | x86::kEferLma | x86::kEferNxe;
  s.xcr0 = 3;
  s.gdtr = {kGdt, 0x57, {}};
  s.idtr = {kIdt, (kEndVector + 1) * 16 - 1, {}};
  s.star = u64(0x10) << 48 | u64(0x08) << 32;
  s.lstar = kHandlers + syscall_offset();
  s.sfmask = x86::kTf | x86::kDf;
  s.segment[x86::kTr] = {0x28, 0x8b, 103, kTss};
  s.segment[x86::kLdtr] = {0, 0x82, 0, 0};
}

void Machine::note_touched() {
  for (u64 page = 0; page < kPages; ++page) {
    if (memory_.dirty(PhysAddr(page << 12))) touched_.set(page);
  }
}

void Machine::load(const Program& program, const Image& image) {
  const auto write = [&](u64 at, const u8* from, u64 size) {
    if (std::memcmp(memory_.host_page(PhysAddr(at)), from, size) != 0) {
      memory_.write(PhysAddr(at), std::as_bytes(std::span(from, size)));
    }
  };
  note_touched();
  for (u64 page = 0; page < kPages; ++page) {
    const u64 at = page << 12;
    const bool of_program = (at >= 0x20000 && at < 0x20000 + kCodePages * 4096) || (at >= kLengths && at < kLengths + 0x4000) ||
                            at == page_use(kOtherCodePage).physical;
    if (touched_[page] && !of_program) write(at, &template_[at], 4096);
  }
  touched_.reset();
  for (unsigned page = 0; page < kCodePages; ++page) {
    write(0x20000 + page * 4096, image.pages[page].data(), 4096);
    write(kLengths + page * 4096, &image.lengths[page * 4096], 4096);
  }
  write(page_use(kOtherCodePage).physical, image.pages[2].data(), 4096);

  x86::State& s = cpu_->state();
  const x86::State& p = program.state;
  s = base_;
  const u16 dpl = program.user ? kDpl3 : 0;
  s.segment[x86::kCs] = {u16(program.user ? 0x23 : 0x08), u16(kCode64 | dpl), 0xffff'ffff, 0};
  for (const auto name : {x86::kEs, x86::kSs, x86::kDs, x86::kFs, x86::kGs}) {
    s.segment[name] = {u16(program.user ? 0x1b : 0x10), u16(kDataSegment | dpl), 0xffff'ffff, 0};
  }
  if (program.bits == 32) {
    s.segment[x86::kCs] = {kUserCode32, kCode32 | kDpl3, 0xffff'ffff, 0};
    for (const auto name : {x86::kEs, x86::kDs, x86::kFs, x86::kGs}) s.segment[name] = p.segment[name];
  }
  s.segment[x86::kFs].base = p.segment[x86::kFs].base;
  s.segment[x86::kGs].base = p.segment[x86::kGs].base;
  s.gpr = p.gpr;
  s.rflags = p.rflags;
  s.xmm = p.xmm;
  s.mxcsr = p.mxcsr;
  s.cr0 |= p.cr0;
  s.cr4 |= p.cr4;
  s.rip = image.entry;
  cpu_->set_interrupt_line(false);
  cpu_->set_position(door::Position(0));
  cpu_->state_changed();
  history_ = priority_ = 0;
}

cpu::StopReason Machine::run(u64 until, EarlyStop early) {
  for (;;) {
    const cpu::StopReason reason = cpu_->run(door::Position(until), early);
    if (reason != cpu::StopReason::kRequested && reason != cpu::StopReason::kDelivering) return reason;
  }
}

void Machine::happen(const Event& event) {
  if (event.nmi) cpu_->raise_nmi(); else cpu_->set_interrupt_line(true);
}

void Machine::visit(Visitor& v) {
  cpu_->visit(v);
  v.field("history", history_);
  v.field("priority", priority_);
}

u64 Machine::digest() {
  note_touched();
  DigestVisitor v;
  visit(v);
  return v.digest() ^ memory_.digest();
}

std::vector<std::pair<std::string, std::string>> Machine::describe() {
  ListVisitor v;
  visit(v);
  auto lines = v.lines();
  note_touched();
  for (u64 page = 0; page < kPages; ++page) {
    for (u64 at = page << 12; at < (page + 1) << 12; at += 8) {
      u64 value = 0, before = 0;
      memory_.load(PhysAddr(at), value);
      std::memcpy(&before, &template_[at], 8);
      char name[32], text[32];
      std::snprintf(name, sizeof name, "memory.%05lx", at);
      std::snprintf(text, sizeof text, "%016lx", value);
      lines.emplace_back(name, text);
    }
  }
  return lines;
}

void Machine::copy(Machine& other) {
  other.note_touched();
  SaveVisitor save;
  other.visit(save);
  other.memory_.visit(save);
  const Bytes bytes = save.take();
  LoadVisitor load(bytes);
  visit(load);
  memory_.visit(load);
  POLLUX_CHECK(load.ok(), "a saved machine loads");
  touched_.set();
}

void Machine::note(u64 what, u64 at, u64 value) {
  history_ = mix(mix(mix(mix(history_, what), at), value), position());
}

// Answers at every address outside RAM, where garbage in page tables leads.
u64 Machine::mmio_read(PhysAddr at, unsigned size) {
  note(size, at.value, 0);
  return mix(at.value, position());
}
void Machine::mmio_write(PhysAddr at, unsigned size, u64 value) {
  note(size | 16, at.value, value);
  if (at.value >= kDevice + 0x800 && (value & 3) == 1) cpu_->set_interrupt_line(true);
  if (at.value >= kDevice + 0x800 && (value & 3) == 2) cpu_->request_stop();
}
u32 Machine::port_read(u16 port, unsigned size) {
  note(size | 32, port, 0);
  return u32(mix(port, position()));
}
void Machine::port_write(u16 port, unsigned size, u32 value) {
  note(size | 64, port, value);
  if (port & 1) cpu_->set_interrupt_line(true);
}
u8 Machine::acknowledge_interrupt() {
  note(128, 0, 0);
  cpu_->set_interrupt_line(false);
  return kInterruptVector;
}

}  // namespace pollux::test::translation
