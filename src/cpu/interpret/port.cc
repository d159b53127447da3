// IN and OUT. (INS, OUTS: string.cc.) Source: SDM vol. 1, 19.5.
#include "cpu/interpret/ports.h"

#include "cpu/interpret/instruction_table.h"

namespace pollux::cpu::interpret {

using x86::Exception;

// In protected mode with CPL > IOPL, and in virtual-8086 mode always, the task's permission bitmap decides.
void require_port(Interpreter& cpu, u16 port, unsigned size) {
  const x86::State& s = cpu.s();
  if (!cpu.protected_mode()) return;
  if (!cpu.v8086() && cpu.cpl() <= (s.rflags >> 12 & 3)) return;
  const x86::Segment& tr = s.segment[x86::kTr];
  const unsigned type = tr.attributes & 15;
  if ((type & 13) != 9 || tr.limit < 0x67) cpu.raise(Exception::kProtection, 0);
  const u32 bitmap = cpu.system_read<u16>(tr.base + 0x66);
  const u32 at = bitmap + port / 8;
  if (at + 1 > tr.limit) cpu.raise(Exception::kProtection, 0);
  const u32 bits = cpu.system_read<u16>(tr.base + at) >> (port & 7);
  if (bits & ((1u << size) - 1)) cpu.raise(Exception::kProtection, 0);
}

namespace {

template <class T>
void in(Interpreter& cpu, const Instruction& i) {
  const u16 port = i.r[1] ? cpu.reg<u16>(i.r[1]) : u16(u8(i.immediate));
  require_port(cpu, port, sizeof(T));
  cpu.set_reg<T>(0, T(cpu.bus().port_read(port, sizeof(T))));
}
template <class T>
void out(Interpreter& cpu, const Instruction& i) {
  const u16 port = i.r[0] ? cpu.reg<u16>(i.r[0]) : u16(u8(i.immediate));
  require_port(cpu, port, sizeof(T));
  cpu.bus().port_write(port, sizeof(T), cpu.reg<T>(0));
}

template <class T>
void add_rows(std::vector<Binding>& r) {
  for (const Pattern port : {reg_of<u16>, pattern::kImm}) {
    r.push_back({ZYDIS_MNEMONIC_IN, in<T>, {reg_of<T>, port}, Unit::kInteger, kEndsBlock});
    r.push_back({ZYDIS_MNEMONIC_OUT, out<T>, {port, reg_of<T>}, Unit::kInteger, kEndsBlock});
  }
}

}  // namespace

std::span<const Binding> port_bindings() {
  static const std::vector<Binding> rows = [] {
    std::vector<Binding> r;
    add_rows<u8>(r);
    add_rows<u16>(r);
    add_rows<u32>(r);
    return r;
  }();
  return rows;
}

}  // namespace pollux::cpu::interpret
