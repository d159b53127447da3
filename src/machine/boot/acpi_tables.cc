#include "machine/boot/acpi_tables.h"

#include "base/check.h"
#include "machine/boot/aml.h"
#include "machine/boot/low_memory.h"
#include "machine/platform.h"

namespace pollux::machine::boot {

using memory::GuestMemory;
using memory::PhysAddr;

namespace {

constexpr u64 kHeaderSize = 36;

u8 checksum_byte(ByteSpan bytes) {
  u8 sum = 0;
  for (const std::byte b : bytes) sum += std::to_integer<u8>(b);
  return u8(-sum);
}

// The header that all tables but RSDP and FACS have; length and checksum are filled in.
Bytes table(const char signature[5], u8 revision, ByteSpan body) {
  ByteWriter out;
  out.put_bytes(as_bytes({signature, 4}));
  out.put<u32>(u32(kHeaderSize + body.size()));
  out.put<u8>(revision);
  out.put<u8>(0);
  out.put_bytes(as_bytes("POLLUX"));
  out.put_bytes(as_bytes("MACHINE "));
  out.put<u32>(1);
  out.put_bytes(as_bytes("PLLX"));
  out.put<u32>(1);
  out.put_bytes(body);
  Bytes bytes = out.take();
  bytes[9] = std::byte(checksum_byte(bytes));
  return bytes;
}

// A table under construction whose fields are named by their offset in the specification.
class Fields {
 public:
  explicit Fields(u64 size) : bytes_(size) {}
  template <class T>
  void set(u64 at, T value) {
    static_assert(std::is_integral_v<T>);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }
  void set_text(u64 at, std::string_view text) { std::memcpy(bytes_.data() + at, text.data(), text.size()); }
  // A generic address: space 1 is I/O ports. access: 1 byte, 2 word, 3 dword.
  void set_port(u64 at, u16 port, u8 bits, u8 access) {
    set<u8>(at, 1);
    set<u8>(at + 1, bits);
    set<u8>(at + 3, access);
    set<u64>(at + 4, port);
  }
  ByteSpan from(u64 at) const { return ByteSpan(bytes_).subspan(at); }

 private:
  Bytes bytes_;
};

Bytes fadt(u64 facs, u64 dsdt) {
  constexpr u16 kBootLegacyDevices = 1 << 0, kBootNoVga = 1 << 2;  // and no 8042; the RTC is there
  constexpr u32 kWbinvd = 1 << 0, kC1 = 1 << 2, kNoFixedSleepButton = 1 << 5, kNoRtcWake = 1 << 6,
                kTimer32Bits = 1 << 8, kResetRegister = 1 << 10;
  Fields t(276);
  t.set<u32>(36, u32(facs));
  t.set<u32>(40, u32(dsdt));
  t.set<u16>(46, u16(platform::kSciIrq));
  t.set<u32>(56, platform::kPm1Event);
  t.set<u32>(64, platform::kPm1Control);
  t.set<u32>(76, platform::kPmTimer);
  t.set<u8>(88, 4);  // lengths of the blocks
  t.set<u8>(89, 2);
  t.set<u8>(91, 4);
  t.set<u16>(96, 0xffff);  // no C2, no C3
  t.set<u16>(98, 0xffff);
  t.set<u16>(109, kBootLegacyDevices | kBootNoVga);
  t.set<u32>(112, kWbinvd | kC1 | kNoFixedSleepButton | kNoRtcWake | kTimer32Bits | kResetRegister);
  t.set_port(116, platform::kResetControl, 8, 1);
  t.set<u8>(128, platform::kResetValue);
  t.set<u8>(131, 4);  // minor version: 6.4
  t.set<u64>(140, dsdt);
  t.set_port(148, platform::kPm1Event, 32, 2);
  t.set_port(172, platform::kPm1Control, 16, 2);
  t.set_port(208, platform::kPmTimer, 32, 3);
  t.set_text(268, "Pollux");  // hypervisor vendor
  return table("FACP", 6, t.from(kHeaderSize));
}

Bytes facs() {
  Fields t(64);
  t.set_text(0, "FACS");
  t.set<u32>(4, 64);
  t.set<u8>(32, 2);  // version
  const ByteSpan all = t.from(0);
  return Bytes(all.begin(), all.end());
}

void put_override(ByteWriter& out, u8 isa_irq, u32 input, u16 flags) {
  out.put<u8>(2);
  out.put<u8>(10);
  out.put<u8>(0);  // the ISA bus
  out.put<u8>(isa_irq);
  out.put<u32>(input);
  out.put<u16>(flags);
}

Bytes madt(const Hardware& hardware) {
  constexpr u32 kHasPics = 1;
  constexpr u16 kAsOnBus = 0, kLevelActiveHigh = 0b1101;
  ByteWriter out;
  out.put<u32>(u32(platform::kLocalApicBase));
  out.put<u32>(kHasPics);
  for (u32 cpu = 0; cpu < hardware.cpus; ++cpu) {
    out.put<u8>(0);
    out.put<u8>(8);
    out.put<u8>(u8(cpu));  // processor's unique identifier
    out.put<u8>(u8(cpu));  // its local APIC's
    out.put<u32>(1);       // enabled
  }
  out.put<u8>(1);
  out.put<u8>(12);
  out.put<u8>(platform::kIoApicId);
  out.put<u8>(0);
  out.put<u32>(u32(platform::kIoApicBase));
  out.put<u32>(platform::kIoApicGsiBase);  // its first input
  put_override(out, u8(platform::kPicTimerIrq), platform::kTimerGsi, kAsOnBus);
  put_override(out, u8(platform::kSciIrq), platform::kSciIrq, kLevelActiveHigh);
  out.put<u8>(4);  // NMI: LINT1 of every processor
  out.put<u8>(6);
  out.put<u8>(0xff);
  out.put<u16>(0);
  out.put<u8>(1);
  return table("APIC", 5, out.bytes());
}

// INTA only: every device of ours has one function.
aml::Term interrupt_routes() {
  std::vector<aml::Term> routes;
  for (u32 device = 0; device < platform::kPciSlots; ++device) {
    const u32 input = platform::kPciIntxGsi + device % platform::kPciIntxLines;
    routes.push_back(aml::package({aml::integer(u64(device) << 16 | 0xffff), aml::integer(0),  // INTA
                                   aml::integer(0), aml::integer(input)}));
  }
  return aml::package(routes);
}

Bytes dsdt() {
  using namespace aml;
  const Term host_bridge = device(
      "PCI0",
      named("_HID", eisa_id("PNP0A03")) + named("_UID", integer(0)) + named("_BBN", integer(0)) +
          named("_CRS", resources(bus_window(0, 0) + ports(platform::kPciConfigAddress, 8) + 
                                  port_window(platform::kPciIoBase, platform::kPciIoBase + platform::kPciIoSize - 1) +
                                  memory_window(platform::kPciWindowBase, platform::kPciWindowSize) +
                                  memory_window_64(platform::kPciWindow64Base, platform::kPciWindow64Size))) +
          named("_PRT", interrupt_routes()));
  const Term rtc = device("RTC", named("_HID", eisa_id("PNP0B00")) +
                                     named("_CRS", resources(ports(platform::kRtc, 2) +
                                                             irq(u8(platform::kRtcIrq)))));
  const Term serial = device("COM1", named("_HID", eisa_id("PNP0501")) + named("_UID", integer(1)) +
                                         named("_CRS", resources(ports(platform::kSerial, 8) +
                                                                 irq(u8(platform::kSerialIrq)))));
  const Term power_ports = device(
      "PMIO", named("_HID", eisa_id("PNP0C02")) + named("_CRS", resources(ports(platform::kPm1Event, 12))));
  const u64 s5 = platform::kSleepTypeS5;
  const Term body = named("\\_S5", package({integer(s5), integer(s5), integer(0), integer(0)})) +
                    scope("\\_SB", host_bridge + rtc + serial + power_ports);
  return table("DSDT", 2, body.bytes());
}

Bytes rsdp(u64 xsdt) {
  Fields t(36);
  t.set_text(0, "RSD PTR ");
  t.set_text(9, "POLLUX");
  t.set<u8>(15, 2);
  t.set<u32>(20, 36);
  t.set<u64>(24, xsdt);
  t.set<u8>(8, checksum_byte(t.from(0).first(20)));  // of the part that ACPI 1.0 knew
  t.set<u8>(32, checksum_byte(t.from(0)));
  const ByteSpan all = t.from(0);
  return Bytes(all.begin(), all.end());
}

}  // namespace

PhysAddr write_acpi_tables(const Hardware& hardware, GuestMemory& memory) {
  constexpr u64 kAlignment = 64;  // FACS asks for it
  u64 next = kAcpiAt + kAlignment;
  const auto append = [&](const Bytes& bytes) {
    const u64 at = next;
    POLLUX_CHECK(at + bytes.size() <= kAcpiEnd && memory.write(PhysAddr(at), bytes), "ACPI tables fit below 1 MiB");
    next = (at + bytes.size() + kAlignment - 1) & ~(kAlignment - 1);
    return at;
  };
  const u64 facs_at = append(facs());
  const u64 dsdt_at = append(dsdt());
  ByteWriter pointers;
  pointers.put<u64>(append(fadt(facs_at, dsdt_at)));
  pointers.put<u64>(append(madt(hardware)));
  const u64 xsdt_at = append(table("XSDT", 1, pointers.bytes()));
  memory.write(PhysAddr(kAcpiAt), rsdp(xsdt_at));
  return PhysAddr(kAcpiAt);
}

}  // namespace pollux::machine::boot
