#include "cpu/decode/disassemble.h"

#include <Zydis/Formatter.h>
#include <Zydis/Utils.h>

#include <algorithm>
#include <cstdio>

#include "cpu/decode/zydis_decoder.h"

namespace pollux::cpu::decode {

namespace {

constexpr u64 kShortJump = 2048;  // beyond it lies other code

std::string line_of(const Disassembled& d, ByteSpan bytes, u64 address) {
  std::string hex;
  char text[200];
  for (unsigned n = 0; n < d.length; ++n) {
    std::snprintf(text, sizeof text, "%02x ", unsigned(bytes[n]));
    hex += text;
  }
  std::snprintf(text, sizeof text, "  %16lx  %-36s %s\n", address, hex.c_str(), d.text.c_str());
  return text;
}

}  // namespace

Disassembled disassemble(CodeSize code_size, ByteSpan bytes, u64 address) {
  const ZydisDecoder decoder = zydis_decoder(code_size);
  ZydisDecodedInstruction z;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  Disassembled d;
  if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes.data(), bytes.size(), &z, operands))) {
    d.text = "no instruction";
    return d;
  }
  ZydisFormatter formatter;
  ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
  char text[160];
  ZydisFormatterFormatInstruction(&formatter, &z, operands, z.operand_count_visible, text, sizeof text, address, nullptr);
  d.length = z.length;
  d.text = text;
  d.goes_on = z.meta.category != ZYDIS_CATEGORY_UNCOND_BR && z.meta.category != ZYDIS_CATEGORY_RET;
  if (z.operand_count && operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operands[0].imm.is_relative) {
    ZyanU64 target = 0;
    if (ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&z, &operands[0], address, &target))) d.target = target;
  }
  return d;
}

std::string listing_line(CodeSize code_size, ByteSpan bytes, u64 address) {
  return line_of(disassemble(code_size, bytes, address), bytes, address);
}

std::string listing(CodeSize code_size, ByteSpan bytes, unsigned most) {
  std::string text;
  u64 at = 0, reached = 0;  // reached: by jumps forward
  for (unsigned lines = 0; at < bytes.size() && lines < most; ++lines) {
    const Disassembled d = disassemble(code_size, bytes.subspan(at), at);
    text += line_of(d, bytes.subspan(at), at);
    at += d.length;
    if (d.target && *d.target >= at && *d.target - at < kShortJump) reached = std::max(reached, *d.target);
    if (!d.goes_on && at > reached) break;
  }
  return text;
}

}  // namespace pollux::cpu::decode
