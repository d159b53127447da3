#include "cpu/decode/decode.h"

#include <Zydis/Register.h>

#include "cpu/decode/zydis_decoder.h"
#include "x86/state.h"

namespace pollux::cpu::decode {

namespace {

struct Decoders {
  ZydisDecoder by_size[3] = {zydis_decoder(CodeSize::k16), zydis_decoder(CodeSize::k32), zydis_decoder(CodeSize::k64)};

  Decoders() {
    for (ZydisDecoder& d : by_size) {
      // Not in the processor model: these encodings then mean what they meant on older processors.
      for (const ZydisDecoderMode mode : {ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET, ZYDIS_DECODER_MODE_LZCNT,
                                          ZYDIS_DECODER_MODE_TZCNT, ZYDIS_DECODER_MODE_WBNOINVD,
                                          ZYDIS_DECODER_MODE_CLDEMOTE}) {
        ZydisDecoderEnableMode(&d, mode, ZYAN_FALSE);
      }
    }
  }
};

u8 gpr_number(ZydisRegister reg) {
  if (ZydisRegisterGetClass(reg) == ZYDIS_REGCLASS_GPR8) {
    const int index = reg - ZYDIS_REGISTER_AL;  // AL CL DL BL AH CH DH BH SPL BPL SIL DIL R8B ...
    if (index < 4) return u8(index);
    if (index < 8) return u8(index + 12);
    return u8(index - 4);
  }
  return u8(ZydisRegisterGetId(reg));
}

u8 address_register(ZydisRegister reg) {
  if (reg == ZYDIS_REGISTER_NONE) return kNoRegister;
  if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP) return kRipRegister;
  return u8(ZydisRegisterGetId(reg));
}

u8 segment_number(ZydisRegister reg) { return u8(reg - ZYDIS_REGISTER_ES); }

Operand register_operand(const ZydisDecodedOperand& from) {
  const ZydisRegister reg = from.reg.value;
  switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_GPR8:
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
      return {OperandKind::kGpr, gpr_number(reg), from.size};
    case ZYDIS_REGCLASS_SEGMENT:
      return {OperandKind::kSegment, segment_number(reg), from.size};
    case ZYDIS_REGCLASS_CONTROL:
      return {OperandKind::kControl, u8(reg - ZYDIS_REGISTER_CR0), from.size};
    case ZYDIS_REGCLASS_DEBUG:
      return {OperandKind::kDebug, u8(reg - ZYDIS_REGISTER_DR0), from.size};
    case ZYDIS_REGCLASS_XMM:
      return {OperandKind::kXmm, u8(reg - ZYDIS_REGISTER_XMM0), from.size};
    case ZYDIS_REGCLASS_MMX:
      return {OperandKind::kMmx, u8(reg - ZYDIS_REGISTER_MM0), from.size};
    case ZYDIS_REGCLASS_X87:
      return {OperandKind::kSt, u8(reg - ZYDIS_REGISTER_ST0), from.size};
    default:
      return {OperandKind::kOther, 0, from.size};
  }
}

void memory_operand(const ZydisDecodedInstruction& z, const ZydisDecodedOperand& from, Decoded& out) {
  out.has_memory = true;
  out.base = address_register(from.mem.base);
  out.index = address_register(from.mem.index);
  out.scale = from.mem.scale == 8 ? 3 : from.mem.scale == 4 ? 2 : from.mem.scale == 2 ? 1 : 0;
  out.displacement = from.mem.disp.value;
  // A SIB byte without a base has none whatever REX.B says; Zydis 4.0 forgets that for 32-bit addresses.
  if ((z.attributes & ZYDIS_ATTRIB_HAS_SIB) && z.raw.modrm.mod == 0 && z.raw.sib.base == 5) {
    out.base = kNoRegister;
    out.displacement = z.raw.disp.value;
  }
  out.segment = from.mem.segment == ZYDIS_REGISTER_NONE ? u8(x86::kDs) : segment_number(from.mem.segment);
}

// Source segment of string instructions, whose operands are hidden.
u8 override_or_ds(const ZydisDecodedInstruction& z, CodeSize code_size) {
  const ZydisInstructionAttributes a = z.attributes;
  if (a & ZYDIS_ATTRIB_HAS_SEGMENT_FS) return x86::kFs;
  if (a & ZYDIS_ATTRIB_HAS_SEGMENT_GS) return x86::kGs;
  if (code_size == CodeSize::k64) return x86::kDs;
  if (a & ZYDIS_ATTRIB_HAS_SEGMENT_CS) return x86::kCs;
  if (a & ZYDIS_ATTRIB_HAS_SEGMENT_SS) return x86::kSs;
  if (a & ZYDIS_ATTRIB_HAS_SEGMENT_ES) return x86::kEs;
  return x86::kDs;
}

Place place_of(ZydisOperandEncoding encoding) {
  switch (encoding) {
    case ZYDIS_OPERAND_ENCODING_MODRM_REG: return Place::kReg;
    case ZYDIS_OPERAND_ENCODING_MODRM_RM: return Place::kRm;
    case ZYDIS_OPERAND_ENCODING_OPCODE: return Place::kOpcode;
    default: return Place::kImplied;
  }
}

Encoding encoding_of(const ZydisDecodedInstruction& z) {
  Encoding e;
  switch (z.opcode_map) {
    case ZYDIS_OPCODE_MAP_0F: e.map = 1; break;
    case ZYDIS_OPCODE_MAP_0F38: e.map = 2; break;
    case ZYDIS_OPCODE_MAP_0F3A: e.map = 3; break;
    default: break;
  }
  for (unsigned i = 0; i < z.raw.prefix_count; ++i) {
    const auto& prefix = z.raw.prefixes[i];
    if (prefix.type == ZYDIS_PREFIX_TYPE_IGNORED) continue;
    if (prefix.value == 0x66) e.prefix66 = true;
    if (prefix.type == ZYDIS_PREFIX_TYPE_MANDATORY && (prefix.value == 0xf2 || prefix.value == 0xf3)) {
      e.repeat = prefix.value;
    }
  }
  e.wide = z.raw.rex.W;
  e.has_modrm = z.attributes & ZYDIS_ATTRIB_HAS_MODRM;
  e.reg = u8(z.raw.modrm.reg | z.raw.rex.R << 3);
  e.rm = u8(z.raw.modrm.rm | z.raw.rex.B << 3);
  e.immediates = u8((z.raw.imm[0].size != 0) + (z.raw.imm[1].size != 0));
  e.immediate_bytes = u8((z.raw.imm[0].size + z.raw.imm[1].size) / 8);
  e.immediate_signed = z.raw.imm[0].is_signed || z.raw.imm[0].is_relative;
  e.displacement_bytes = u8(z.raw.disp.size / 8);
  return e;
}

}  // namespace

DecodeStatus decode(CodeSize code_size, ByteSpan bytes, Decoded& out) {
  static const Decoders decoders;
  const ZydisDecoder& decoder = decoders.by_size[unsigned(code_size)];

  ZydisDecoderContext context;
  ZydisDecodedInstruction z;
  const ZyanStatus status = ZydisDecoderDecodeInstruction(&decoder, &context, bytes.data(), bytes.size(), &z);
  if (status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG) return DecodeStatus::kTooLong;
  if (status == ZYDIS_STATUS_NO_MORE_DATA) {
    return bytes.size() >= ZYDIS_MAX_INSTRUCTION_LENGTH ? DecodeStatus::kTooLong : DecodeStatus::kTruncated;
  }
  if (!ZYAN_SUCCESS(status)) return DecodeStatus::kInvalid;
  if (z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY) return DecodeStatus::kInvalid;

  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  if (!ZYAN_SUCCESS(ZydisDecoderDecodeOperands(&decoder, &context, &z, operands, z.operand_count))) {
    return DecodeStatus::kInvalid;
  }

  out = Decoded();
  out.mnemonic = z.mnemonic;
  out.length = z.length;
  out.operand_size = u8(z.operand_width / 8);
  out.address_size = u8(z.address_width / 8);
  out.opcode = z.opcode;
  if (z.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (z.opcode & 0xf8) == 0xd8) {  // x87: what FOP holds
    out.immediate2 = u16((z.opcode & 7) << 8 | z.raw.modrm.mod << 6 | z.raw.modrm.reg << 3 | z.raw.modrm.rm);
  }
  out.far = z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR && (z.mnemonic == ZYDIS_MNEMONIC_CALL ||
                                                            z.mnemonic == ZYDIS_MNEMONIC_JMP ||
                                                            z.mnemonic == ZYDIS_MNEMONIC_RET);
  out.lock = z.attributes & ZYDIS_ATTRIB_HAS_LOCK;
  for (unsigned i = 0; i < z.raw.prefix_count; ++i) {  // the last one counts
    if (z.raw.prefixes[i].value == 0xf3) out.rep = true, out.repne = false;
    if (z.raw.prefixes[i].value == 0xf2) out.rep = false, out.repne = true;
  }
  out.segment = override_or_ds(z, code_size);
  out.encoding = encoding_of(z);
  if (z.cpu_flags) {
    out.flags_read = z.cpu_flags->tested;
    out.flags_written = z.cpu_flags->modified | z.cpu_flags->set_0 | z.cpu_flags->set_1 | z.cpu_flags->undefined;
  }

  for (unsigned i = 0; i < z.operand_count; ++i) {
    const ZydisDecodedOperand& from = operands[i];
    if (from.type != ZYDIS_OPERAND_TYPE_REGISTER || !(from.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)) continue;
    const Operand reg = register_operand(from);
    if (reg.kind == OperandKind::kGpr) out.gprs_written |= u16(1u << reg.gpr());
  }
  unsigned immediates = 0;
  for (unsigned i = 0; i < z.operand_count_visible && i < out.operands.size(); ++i) {
    const ZydisDecodedOperand& from = operands[i];
    Operand& to = out.operands[i];
    switch (from.type) {
      case ZYDIS_OPERAND_TYPE_REGISTER:
        to = register_operand(from);
        break;
      case ZYDIS_OPERAND_TYPE_MEMORY:
        to = {OperandKind::kMemory, 0, from.size};
        memory_operand(z, from, out);
        break;
      case ZYDIS_OPERAND_TYPE_POINTER:
        to = {OperandKind::kFarPointer, 0, from.size};
        out.immediate = from.ptr.offset;
        out.immediate2 = from.ptr.segment;
        break;
      case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        to = {from.imm.is_relative ? OperandKind::kRelative : OperandKind::kImmediate, 0, from.size};
        if (immediates++ == 0) {
          out.immediate = from.imm.is_signed ? u64(from.imm.value.s) : from.imm.value.u;
        } else {
          out.immediate2 = u16(from.imm.value.u);
        }
        break;
      default:
        to = {OperandKind::kOther, 0, from.size};
    }
    to.place = place_of(from.encoding);
    to.read = from.actions & ZYDIS_OPERAND_ACTION_MASK_READ;
    to.written = from.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
    out.operand_count = u8(i + 1);
  }
  // F3 90 is PAUSE only while it names no other register: with REX.B it exchanges r8 and rAX like 90.
  if (z.mnemonic == ZYDIS_MNEMONIC_PAUSE && z.raw.rex.B) {
    out.mnemonic = ZYDIS_MNEMONIC_XCHG;
    out.operands[0] = {OperandKind::kGpr, x86::kR8, z.operand_width, Place::kOpcode, true, true};
    out.operands[1] = {OperandKind::kGpr, x86::kRax, z.operand_width, Place::kImplied, true, true};
    out.operand_count = 2;
    out.encoding.repeat = 0;
    out.gprs_written = 1 << x86::kR8 | 1 << x86::kRax;
  }
  return DecodeStatus::kOk;
}

}  // namespace pollux::cpu::decode
