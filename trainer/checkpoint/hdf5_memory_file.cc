#include "trainer/checkpoint/hdf5_memory_file.h"

#include <hdf5.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "kernels/runtime/error.h"

namespace boostr {
namespace {

/// What the library holds of an open file; it reads `base`.
struct OpenFile {
  H5FD_t base;
  MemoryFile* file;
};

MemoryFile& memory(const H5FD_t* file) { return *reinterpret_cast<const OpenFile*>(file)->file; }

H5FD_t* open_file(const char*, unsigned, hid_t access, haddr_t) {
  MemoryFile* const* file = static_cast<MemoryFile* const*>(H5Pget_driver_info(access));
  if (file == nullptr) return nullptr;
  auto* opened = new (std::nothrow) OpenFile{};
  if (opened != nullptr) opened->file = *file;
  return reinterpret_cast<H5FD_t*>(opened);
}

herr_t close_file(H5FD_t* file) {
  delete reinterpret_cast<OpenFile*>(file);
  return 0;
}

herr_t query(const H5FD_t*, unsigned long* flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
           H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
  return 0;
}

haddr_t get_size(const H5FD_t* file, H5FD_mem_t) { return memory(file).size(); }

herr_t set_size(H5FD_t* file, H5FD_mem_t, haddr_t size) {
  memory(file).resize(size);
  return 0;
}

herr_t read_bytes(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, size_t bytes, void* to) {
  memory(file).read(address, to, bytes);
  return 0;
}

herr_t write_bytes(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, size_t bytes,
                   const void* from) {
  try {
    memory(file).write(address, from, bytes);
    return 0;
  } catch (const std::bad_alloc&) {
    return -1;
  }
}

hid_t register_driver() {
  H5FD_class_t driver{};
  driver.name = "boostr_memory";
  driver.maxaddr = HADDR_MAX;
  driver.fc_degree = H5F_CLOSE_STRONG;
  driver.fapl_size = sizeof(MemoryFile*);
  driver.open = open_file;
  driver.close = close_file;
  driver.query = query;
  driver.get_eoa = get_size;
  driver.set_eoa = set_size;
  driver.get_eof = get_size;
  driver.read = read_bytes;
  driver.write = write_bytes;
  const H5FD_mem_t free_lists[H5FD_MEM_NTYPES] = H5FD_FLMAP_DICHOTOMY;
  std::copy(std::begin(free_lists), std::end(free_lists), std::begin(driver.fl_map));
  return H5FDregister(&driver);
}

}  // namespace

void MemoryFile::write(std::uint64_t address, const void* from, std::size_t bytes) {
  const auto* source = static_cast<const std::byte*>(from);
  while (bytes > 0) {
    std::unique_ptr<Page>& page = pages_[address / page_bytes];
    if (!page) page = std::make_unique<Page>();
    const std::size_t at = address % page_bytes;
    const std::size_t count = std::min(bytes, page_bytes - at);
    std::memcpy(page->data() + at, source, count);
    source += count;
    address += count;
    bytes -= count;
  }
}

void MemoryFile::read(std::uint64_t address, void* to, std::size_t bytes) const {
  auto* target = static_cast<std::byte*>(to);
  while (bytes > 0) {
    const std::size_t at = address % page_bytes;
    const std::size_t count = std::min(bytes, page_bytes - at);
    const auto page = pages_.find(address / page_bytes);
    if (page == pages_.end() || !page->second) {
      std::memset(target, 0, count);
    } else {
      std::memcpy(target, page->second->data() + at, count);
    }
    target += count;
    address += count;
    bytes -= count;
  }
}

MemoryFileDriver::MemoryFileDriver() : id_(register_driver()) {
  expect(id_ >= 0,
         "HDF5: H5FDregister failed; is another version of the library loaded than boostr was "
         "built with?");
}

MemoryFileDriver::~MemoryFileDriver() { H5FDunregister(id_); }

void MemoryFileDriver::select(std::int64_t access, MemoryFile& file) const {
  MemoryFile* const info = &file;
  expect(H5Pset_driver(access, id_, &info) >= 0, "HDF5: H5Pset_driver failed");
}

}  // namespace boostr
