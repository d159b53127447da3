#include "machine/boot/elf_image.h"

#include <elf.h>

#include <algorithm>

namespace pollux::machine::boot {

namespace {

constexpr u32 kXenPhys32Entry = 18;

std::unexpected<Error> cut_short() {
  return fail(ErrorKind::kFormat, "the ELF kernel is cut short: a program header lies outside the file");
}

template <class T>
bool read_at(ByteSpan file, u64 at, T& value) {
  if (at > file.size() || file.size() - at < sizeof value) return false;
  std::memcpy(&value, file.data() + at, sizeof value);
  return true;
}

u64 round4(u64 n) { return (n + 3) & ~u64{3}; }

std::optional<u32> find_pvh_note(ByteSpan notes) {
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr note;  // the same for both classes
    std::memcpy(&note, notes.data(), sizeof note);
    const u64 name_at = sizeof note;
    const u64 value_at = name_at + round4(note.n_namesz);
    const u64 end = value_at + round4(note.n_descsz);
    if (end > notes.size()) return {};
    const bool is_xen = as_text(notes.subspan(name_at, note.n_namesz)) == std::string_view("Xen\0", 4);
    if (is_xen && note.n_type == kXenPhys32Entry && note.n_descsz >= 4) {
      u32 entry = 0;
      std::memcpy(&entry, notes.data() + value_at, sizeof entry);
      return entry;
    }
    notes = notes.subspan(end);
  }
  return {};
}

template <class Header, class ProgramHeader>
Result<ElfImage> parse(ByteSpan file) {
  Header header;
  if (!read_at(file, 0, header)) return cut_short();
  if (header.e_machine != EM_X86_64 && header.e_machine != EM_386)
    return fail(ErrorKind::kFormat, "the ELF kernel is for another processor, not x86");
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
    return fail(ErrorKind::kFormat, "the ELF file is not an executable kernel");
  ElfImage image;
  image.is_64 = sizeof(Header) == sizeof(Elf64_Ehdr);
  image.entry = header.e_entry;
  for (u32 i = 0; i < header.e_phnum; ++i) {
    ProgramHeader program;
    const u64 at = u64(header.e_phoff) + u64(i) * header.e_phentsize;
    if (header.e_phentsize < sizeof program || at < header.e_phoff || !read_at(file, at, program)) return cut_short();
    if (program.p_type != PT_LOAD && program.p_type != PT_NOTE) continue;
    if (program.p_offset > file.size() || file.size() - program.p_offset < program.p_filesz) return cut_short();
    const ByteSpan contents = file.subspan(program.p_offset, program.p_filesz);
    if (program.p_type == PT_NOTE) {
      if (!image.pvh_entry) image.pvh_entry = find_pvh_note(contents);
    } else if (program.p_memsz) {
      if (program.p_memsz < program.p_filesz)
        return fail(ErrorKind::kFormat, "the ELF kernel is damaged: a segment is larger in the file than in memory");
      image.segments.push_back({program.p_paddr, program.p_memsz, contents});
    }
  }
  if (image.segments.empty()) return fail(ErrorKind::kFormat, "the ELF kernel has nothing to load");
  return image;
}

}  // namespace

bool is_elf(ByteSpan file) { return file.size() >= 4 && as_text(file.first(4)) == std::string_view(ELFMAG, SELFMAG); }

Result<ElfImage> parse_elf(ByteSpan file) {
  if (!is_elf(file)) return fail(ErrorKind::kFormat, "not an ELF file");
  if (file.size() < EI_NIDENT) return cut_short();
  if (std::to_integer<u8>(file[EI_DATA]) != ELFDATA2LSB)
    return fail(ErrorKind::kFormat, "the ELF kernel is for another processor, not x86");
  switch (std::to_integer<u8>(file[EI_CLASS])) {
    case ELFCLASS64: return parse<Elf64_Ehdr, Elf64_Phdr>(file);
    case ELFCLASS32: return parse<Elf32_Ehdr, Elf32_Phdr>(file);
    default: return fail(ErrorKind::kFormat, "the ELF kernel is of an unknown class");
  }
}

}  // namespace pollux::machine::boot
