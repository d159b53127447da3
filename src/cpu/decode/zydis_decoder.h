// Zydis's decoder for a code size, with everything that Zydis knows. For this folder's own files.
#pragma once

#include <Zydis/Decoder.h>

#include "cpu/decode/decode.h"

namespace pollux::cpu::decode {

inline ZydisDecoder zydis_decoder(CodeSize code_size) {
  ZydisDecoder decoder;
  switch (code_size) {
    case CodeSize::k16: ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16); break;
    case CodeSize::k32: ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32); break;
    case CodeSize::k64: ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64); break;
  }
  return decoder;
}

}  // namespace pollux::cpu::decode
