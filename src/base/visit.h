// One description of a component's state, used to save, restore, digest and compare it. A component has
//   void visit(Visitor& v);
// which names every field that is part of the machine's state, in a fixed order. Fields that can be derived from
// others (caches, translations) are not visited; a component that keeps such fields drops them when
// v.restoring() is true, at the end of its visit.
#pragma once

#include <span>
#include <string_view>
#include <type_traits>

#include "base/bytes.h"

namespace pollux {

class Visitor {
 public:
  virtual ~Visitor() = default;

  // The visitor may read the bytes (save, digest, compare) or overwrite them (restore).
  virtual void raw(std::string_view name, std::span<std::byte> bytes) = 0;
  // A byte sequence whose length is part of the state.
  virtual void sized(std::string_view name, Bytes& bytes) = 0;
  // Fields between enter and leave belong to the named component; names show as cpu0.rip.
  virtual void enter(std::string_view component) = 0;
  virtual void leave() = 0;
  virtual bool restoring() const { return false; }

  // Integers, enums, bools, strong integers: anything without padding or pointers.
  template <class T>
  void field(std::string_view name, T& value) {
    static_assert(std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T>);
    raw(name, std::as_writable_bytes(std::span(&value, 1)));
  }
  // A vector of plain values; its length is part of the state.
  template <class T>
  void list(std::string_view name, std::vector<T>& values) {
    static_assert(std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T>);
    Bytes bytes;
    if (!restoring()) {
      const auto from = std::as_bytes(std::span(values));
      bytes.assign(from.begin(), from.end());
    }
    sized(name, bytes);
    if (restoring()) {
      values.resize(bytes.size() / sizeof(T));
      // An empty vector has no address to copy to.
      if (!values.empty()) std::memcpy(static_cast<void*>(values.data()), bytes.data(), values.size() * sizeof(T));
    }
  }
  template <class Component>
  void component(std::string_view name, Component& inner) {
    enter(name);
    inner.visit(*this);
    leave();
  }
};

// The digest of a component: equal state, equal digest. Names are part of it.
class DigestVisitor final : public Visitor {
 public:
  void raw(std::string_view name, std::span<std::byte> bytes) override;
  void sized(std::string_view name, Bytes& bytes) override;
  void enter(std::string_view component) override;
  void leave() override {}
  u64 digest() const { return digest_; }

 private:
  u64 digest_ = 0;
};

// State to bytes. The order of the visit is the format; names are not stored.
class SaveVisitor final : public Visitor {
 public:
  void raw(std::string_view name, std::span<std::byte> bytes) override;
  void sized(std::string_view name, Bytes& bytes) override;
  void enter(std::string_view) override {}
  void leave() override {}
  Bytes take() { return out_.take(); }

 private:
  ByteWriter out_;
};

// Bytes to state. After the visit, ok() says whether the bytes were exactly enough.
class LoadVisitor final : public Visitor {
 public:
  explicit LoadVisitor(ByteSpan bytes) : in_(bytes) {}
  void raw(std::string_view name, std::span<std::byte> bytes) override;
  void sized(std::string_view name, Bytes& bytes) override;
  void enter(std::string_view) override {}
  void leave() override {}
  bool restoring() const override { return true; }
  bool ok() const { return in_.ok() && in_.at_end(); }

 private:
  ByteReader in_;
};

// State to text, one "component.field = hex" line each: for comparing two copies by eye or by program.
class ListVisitor final : public Visitor {
 public:
  void raw(std::string_view name, std::span<std::byte> bytes) override;
  void sized(std::string_view name, Bytes& bytes) override;
  void enter(std::string_view component) override;
  void leave() override;
  const std::vector<std::pair<std::string, std::string>>& lines() const { return lines_; }

 private:
  std::vector<std::string> path_;
  std::vector<std::pair<std::string, std::string>> lines_;
};

}  // namespace pollux
