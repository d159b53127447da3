#include "templates.h"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace pollux::test {

using cpu::decode::CodeSize;
using cpu::decode::Decoded;
using cpu::decode::DecodeStatus;
using cpu::decode::OperandKind;
using cpu::interpret::Binding;

namespace {

// Not comparable from user mode: the system's own instructions, values of this processor or kernel, traps to it, and
// whatever depends on descriptor tables that the child does not own. Their tests are those of cpu/interpret and
// tests/bare_metal.
const std::unordered_set<int> kExcluded = {
    ZYDIS_MNEMONIC_SYSCALL, ZYDIS_MNEMONIC_SYSENTER, ZYDIS_MNEMONIC_SYSRET, ZYDIS_MNEMONIC_SYSEXIT,
    ZYDIS_MNEMONIC_INT, ZYDIS_MNEMONIC_INT1, ZYDIS_MNEMONIC_INT3, ZYDIS_MNEMONIC_INTO, ZYDIS_MNEMONIC_IRET,
    ZYDIS_MNEMONIC_IRETD, ZYDIS_MNEMONIC_IRETQ, ZYDIS_MNEMONIC_CPUID, ZYDIS_MNEMONIC_RDTSC,
    ZYDIS_MNEMONIC_RDTSCP, ZYDIS_MNEMONIC_RDPMC, ZYDIS_MNEMONIC_RDPID, ZYDIS_MNEMONIC_RDRAND,
    ZYDIS_MNEMONIC_RDSEED, ZYDIS_MNEMONIC_XGETBV, ZYDIS_MNEMONIC_XSETBV, ZYDIS_MNEMONIC_XSAVE,
    ZYDIS_MNEMONIC_XSAVE64, ZYDIS_MNEMONIC_XRSTOR, ZYDIS_MNEMONIC_XRSTOR64, ZYDIS_MNEMONIC_XSAVEOPT,
    ZYDIS_MNEMONIC_XSAVEOPT64, ZYDIS_MNEMONIC_SGDT, ZYDIS_MNEMONIC_SIDT, ZYDIS_MNEMONIC_SLDT,
    ZYDIS_MNEMONIC_STR, ZYDIS_MNEMONIC_SMSW, ZYDIS_MNEMONIC_LAR, ZYDIS_MNEMONIC_LSL, ZYDIS_MNEMONIC_VERR,
    ZYDIS_MNEMONIC_VERW, ZYDIS_MNEMONIC_RDFSBASE, ZYDIS_MNEMONIC_RDGSBASE, ZYDIS_MNEMONIC_WRFSBASE,
    ZYDIS_MNEMONIC_WRGSBASE, ZYDIS_MNEMONIC_LDS, ZYDIS_MNEMONIC_LES, ZYDIS_MNEMONIC_LFS, ZYDIS_MNEMONIC_LGS,
    ZYDIS_MNEMONIC_LSS, ZYDIS_MNEMONIC_MONITOR, ZYDIS_MNEMONIC_MWAIT, ZYDIS_MNEMONIC_IN, ZYDIS_MNEMONIC_OUT,
    ZYDIS_MNEMONIC_INSB, ZYDIS_MNEMONIC_INSW, ZYDIS_MNEMONIC_INSD, ZYDIS_MNEMONIC_OUTSB, ZYDIS_MNEMONIC_OUTSW,
    ZYDIS_MNEMONIC_OUTSD, ZYDIS_MNEMONIC_VMCALL, ZYDIS_MNEMONIC_VMMCALL, ZYDIS_MNEMONIC_ARPL,
    ZYDIS_MNEMONIC_SWAPGS, ZYDIS_MNEMONIC_INVD, ZYDIS_MNEMONIC_HLT, ZYDIS_MNEMONIC_CLI, ZYDIS_MNEMONIC_STI,
};

bool comparable(const Binding& row) {
  if (kExcluded.contains(row.mnemonic)) return false;
  if (row.traits & cpu::interpret::kFarForm) return false;
  for (const auto& operand : row.operands) {
    constexpr u16 kSystem = 1u << unsigned(OperandKind::kSegment) | 1u << unsigned(OperandKind::kControl) |
                            1u << unsigned(OperandKind::kDebug) | 1u << unsigned(OperandKind::kFarPointer);
    if (operand.kinds & kSystem) return false;
  }
  return true;
}

bool is_prefix(u8 map, unsigned opcode, unsigned code_bits) {
  if (map != 0) return false;
  switch (opcode) {
    case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x66: case 0x67: case 0xf0: case 0xf2:
    case 0xf3: return true;
    default: return code_bits == 64 && (opcode & 0xf0) == 0x40;
  }
}

std::string lower(std::string text) {
  for (char& c : text) c = char(std::tolower(c));
  return text;
}

std::string name_of(const Binding& row) {
  std::string text = ZydisMnemonicGetString(row.mnemonic);
  const char* separator = " ";
  for (const auto& operand : row.operands) {
    if (!operand.kinds) break;
    text += separator;
    separator = ",";
    const auto has = [&](OperandKind kind) { return operand.kinds >> unsigned(kind) & 1; };
    if (has(OperandKind::kGpr)) text += "r";
    if (has(OperandKind::kXmm)) text += "xmm";
    if (has(OperandKind::kMmx)) text += "mm";
    if (has(OperandKind::kSt)) text += "st";
    if (has(OperandKind::kImmediate)) text += "imm";
    if (has(OperandKind::kRelative)) text += "rel";
    if (has(OperandKind::kMemory)) text += "m";
    if (operand.bits) text += std::to_string(operand.bits);
  }
  return lower(text);
}

}  // namespace

const Binding* row_of(unsigned code_bits, ByteSpan code, Decoded& decoded) {
  const CodeSize size = code_bits == 64 ? CodeSize::k64 : CodeSize::k32;
  if (cpu::decode::decode(size, code, decoded) != DecodeStatus::kOk) return nullptr;
  return cpu::interpret::find_binding(decoded);
}

Catalogue make_catalogue(unsigned code_bits) {
  Catalogue catalogue;
  std::unordered_map<const Binding*, std::size_t> places;
  for (const auto family : cpu::interpret::all_bindings()) {
    for (const Binding& row : family) {
      places.emplace(&row, catalogue.rows.size());
      catalogue.rows.push_back({&row, name_of(row), {}});
    }
  }
  for (const u16 prefix : {0x00, 0x66, 0xf2, 0xf3, 0x67, 0x66f2, 0x66f3}) {
    for (const bool rex_w : {false, true}) {
      if (rex_w && code_bits == 32) continue;
      for (u8 map = 0; map < 4; ++map) {
        for (unsigned opcode = 0; opcode < 256; ++opcode) {
          if (is_prefix(map, opcode, code_bits)) continue;
          for (unsigned modrm = 0; modrm < 256; ++modrm) {
            const bool memory = modrm < 0xc0;
            if (memory && ((modrm & 0xc7) != 3 || prefix == 0x67)) continue;
            std::array<u8, 15> bytes{};
            unsigned n = 0;
            if (prefix >> 8) bytes[n++] = u8(prefix >> 8);
            if (prefix) bytes[n++] = u8(prefix);
            if (rex_w) bytes[n++] = 0x48;
            if (map) bytes[n++] = 0x0f;
            if (map >= 2) bytes[n++] = map == 2 ? 0x38 : 0x3a;
            bytes[n++] = u8(opcode);
            bytes[n++] = u8(modrm);
            Decoded decoded;
            const Binding* row = row_of(code_bits, std::as_bytes(std::span(bytes)), decoded);
            if (!row || decoded.length < n - 1) continue;
            // REP before a branch does something else on some processors; before BSF and BSR it makes TZCNT and LZCNT
            // of them where the host has these.
            const bool rep = u8(prefix) == 0xf2 || u8(prefix) == 0xf3;
            if (rep && (row->traits & cpu::interpret::kBranch)) continue;
            if (rep && (row->mnemonic == ZYDIS_MNEMONIC_BSF || row->mnemonic == ZYDIS_MNEMONIC_BSR)) continue;
            if (decoded.has_memory != memory && decoded.length >= n) {
              // An opcode without ModRM has one template for each value of that byte; memory ones are of no use.
              if (memory) continue;
            }
            // PREFETCHW of a register: a NOP, or undefined.
            if (map == 1 && opcode == 0x0d && !memory) continue;
            catalogue.rows[places.at(row)].templates.push_back(
                {prefix, rex_w, map, u8(opcode), u8(modrm), memory && decoded.has_memory});
          }
        }
      }
    }
  }
  std::vector<Row> kept;
  for (Row& row : catalogue.rows) {
    if (comparable(*row.binding) && !row.templates.empty()) {
      kept.push_back(std::move(row));
    } else {
      catalogue.left_out.push_back(row.name + (row.templates.empty() ? " (not in this mode)" : ""));
    }
  }
  catalogue.rows = std::move(kept);
  return catalogue;
}

}  // namespace pollux::test
