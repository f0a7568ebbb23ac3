// A device for rehearsals: its memory is the processor's, its rules are those of a GPU.
//
// PyTorch keeps a place for a device that it does not know ("PrivateUse1"). What fills it here computes with the
// CPU's kernels, on the same memory, but
// - refuses tensors of two devices where CUDA does (a zero-dimensional CPU tensor is a number, CPU indices may index),
// - has generators of its own, and refuses others,
// - rounds to bfloat16 where CUDA's autocast does,
// - gives out memory full of NaN, so that nobody reads what was never written,
// - and counts what the processor would have to wait for: reading a value, a copy to the host, a copy from the host
//   that was not said to be non-blocking, an operator whose result has a size that depends on values.
// It does at once what it is told: what goes wrong only because a GPU works behind the processor's back stays unseen.

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/autocast_mode.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/csrc/utils/pybind.h>
#include <torch/library.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

constexpr auto TYPE = c10::DeviceType::PrivateUse1;
const c10::Device DEVICE(TYPE, 0);
const c10::Stream STREAM(c10::Stream::DEFAULT, DEVICE);
const c10::DispatchKeySet ON_DEVICE(c10::DispatchKey::PrivateUse1);
const c10::DispatchKeySet ON_CPU(c10::DispatchKey::CPU);

// What is counted. The training's thread, autograd's and the one that reads ahead all come here.

std::mutex counting;
std::map<std::string, int64_t> counted;
bool forbidden = false;

void count(const std::string& what) {
  const std::lock_guard<std::mutex> guard(counting);
  ++counted[what];
}

/// The processor would wait for the device here.
void wait(const std::string& reason) {
  count("wait: " + reason);
  TORCH_CHECK(!forbidden, "The processor would wait for the device: ", reason);
}

// Memory

struct DeviceAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t n) override {
    void* memory = n ? std::malloc(n) : nullptr;
    TORCH_CHECK(!n || memory, "no memory left");
    if (n) std::memset(memory, 0xff, n);  // NaN in every floating type, -1 in integers
    return {memory, memory, &std::free, DEVICE};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &std::free; }
  void copy_data(void* to, const void* from, std::size_t n) const override { std::memcpy(to, from, n); }
};
DeviceAllocator device_memory;
REGISTER_ALLOCATOR(TYPE, &device_memory)

/// Memory of the host that the device could read by itself.
struct PinnedAllocator final : c10::Allocator {
  static inline std::mutex mutex;
  static inline std::map<const char*, size_t> blocks;

  static void release(void* memory) {
    const std::lock_guard<std::mutex> guard(mutex);
    blocks.erase(static_cast<const char*>(memory));
    std::free(memory);
  }
  static bool holds(const void* address) {
    const std::lock_guard<std::mutex> guard(mutex);
    const auto* place = static_cast<const char*>(address);
    auto next = blocks.upper_bound(place);
    return next != blocks.begin() && place < std::prev(next)->first + std::prev(next)->second;
  }
  c10::DataPtr allocate(size_t n) override {
    void* memory = std::malloc(n ? n : 1);
    TORCH_CHECK(memory, "no memory left");
    const std::lock_guard<std::mutex> guard(mutex);
    blocks[static_cast<const char*>(memory)] = n ? n : 1;
    return {memory, memory, &release, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t n) const override { std::memcpy(to, from, n); }
};
PinnedAllocator pinned_memory;

/// The memory of a storage, said to lie on another device; it lives as long as either of both.
c10::DataPtr same_memory(const c10::Storage& storage, c10::Device device) {
  auto release = [](void* storage) { delete static_cast<c10::Storage*>(storage); };
  return {storage.mutable_data(), new c10::Storage(storage), release, device};
}

c10::Storage moved(const c10::Storage& storage, c10::Device device) {
  c10::Allocator* allocator = device.is_cpu() ? c10::GetCPUAllocator() : &device_memory;
  return {c10::Storage::use_byte_size_t(), storage.nbytes(), same_memory(storage, device), allocator, true};
}

/// A tensor of the same type and shape as `like`, over a storage that holds the same values.
at::Tensor over(c10::Storage storage, const at::Tensor& like, c10::DispatchKeySet where) {
  auto tensor = at::detail::make_tensor<c10::TensorImpl>(std::move(storage), where, like.dtype());
  auto* impl = tensor.unsafeGetTensorImpl();
  impl->set_sizes_and_strides(like.sizes(), like.strides(), like.storage_offset());
  if (like.unsafeGetTensorImpl()->is_wrapped_number()) impl->set_wrapped_number(true);
  return tensor;
}

at::Tensor on_cpu(const at::Tensor& tensor) {
  if (tensor.device().is_cpu()) return tensor;
  return over(moved(tensor.storage(), c10::DeviceType::CPU), tensor, ON_CPU);
}

// Streams, events and generators: one of each kind, and nothing to wait for.

struct Guard final : c10::impl::DeviceGuardImplInterface {
  static constexpr c10::DeviceType static_type = TYPE;
  Guard() = default;
  explicit Guard(c10::DeviceType) {}
  c10::DeviceType type() const override { return TYPE; }
  c10::Device exchangeDevice(c10::Device) const override { return DEVICE; }
  c10::Device getDevice() const override { return DEVICE; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device) const override { return STREAM; }
  c10::Stream getNewStream(c10::Device, int) const override { return STREAM; }
  c10::Stream exchangeStream(c10::Stream) const override { return STREAM; }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void** event, const c10::Stream&, const c10::DeviceIndex, const c10::EventFlag) const override {
    *event = const_cast<Guard*>(this);  // anything but null
  }
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void destroyEvent(void*, const c10::DeviceIndex) const noexcept override {}
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream&) const override { wait("a stream"); }
  void synchronizeEvent(void*) const override { wait("an event"); }
  void recordDataPtrOnStream(const c10::DataPtr&, const c10::Stream&) const override {}
};
C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard)

/// Passes everything on to a generator of the CPU, which the kernels draw from.
struct DeviceGenerator final : c10::GeneratorImpl {
  at::Generator drawn_from;

  explicit DeviceGenerator(at::Generator generator)
      : c10::GeneratorImpl(DEVICE, ON_DEVICE), drawn_from(std::move(generator)) {}
  DeviceGenerator() : DeviceGenerator(at::make_generator<at::CPUGeneratorImpl>()) {}
  static c10::DeviceType device_type() { return TYPE; }

  void set_current_seed(uint64_t seed) override { drawn_from.set_current_seed(seed); }
  void set_offset(uint64_t offset) override { drawn_from.set_offset(offset); }
  uint64_t get_offset() const override { return drawn_from.get_offset(); }
  uint64_t current_seed() const override { return drawn_from.current_seed(); }
  uint64_t seed() override { return drawn_from.seed(); }
  void set_state(const c10::TensorImpl& state) override { drawn_from.unsafeGetGeneratorImpl()->set_state(state); }
  c10::intrusive_ptr<c10::TensorImpl> get_state() const override {
    return drawn_from.unsafeGetGeneratorImpl()->get_state();
  }
  DeviceGenerator* clone_impl() const override { return new DeviceGenerator(drawn_from.clone()); }
};

struct Hooks final : at::PrivateUse1HooksInterface {
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override {
    static const at::Generator generator = at::make_generator<DeviceGenerator>();
    return generator;
  }
  at::Generator getNewGenerator(c10::DeviceIndex) const override { return at::make_generator<DeviceGenerator>(); }
  at::Device getDeviceFromPtr(void*) const override { return DEVICE; }
  bool isPinnedPtr(const void* data) const override { return PinnedAllocator::holds(data); }
  at::Allocator* getPinnedMemoryAllocator() const override { return &pinned_memory; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
};

// The few operators that are about memory itself

using Sizes = c10::IntArrayRef;
using DType = std::optional<at::ScalarType>;
using Layout = std::optional<at::Layout>;
using Device = std::optional<at::Device>;

at::Tensor new_memory(Sizes size, DType dtype, Layout, Device, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &device_memory, ON_DEVICE, c10::dtype_or_default(dtype), format);
}

at::Tensor new_strided_memory(Sizes size, Sizes stride, DType dtype, Layout, Device, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &device_memory, ON_DEVICE, c10::dtype_or_default(dtype));
}

at::Tensor copy_values(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
  if (from.numel() == 0) return to;
  if (to.device().is_cpu()) {
    wait("a copy to the host");  // said to be non-blocking it would, without a wait of its own, be wrong besides
  } else if (from.device().is_cpu()) {
    count(from.is_pinned() ? "copies from pinned memory" : "copies from the host");
    if (!non_blocking) wait("a copy from the host");
  }
  on_cpu(to).copy_(on_cpu(from));
  return to;
}

at::Tensor copy_to_size_of(const at::Tensor& from, const at::Tensor& to) {
  to.resize_(from.sizes());
  return copy_values(from, to, false);
}

at::Scalar read_value(const at::Tensor& tensor) {
  wait("reading a value");
  return on_cpu(tensor).item();
}

at::Tensor& set_storage(at::Tensor& tensor, at::Storage storage, int64_t offset, Sizes size, Sizes stride) {
  auto* impl = tensor.unsafeGetTensorImpl();
  impl->set_storage_keep_dtype(std::move(storage));
  impl->set_sizes_and_strides(size, stride, offset);
  return tensor;
}

at::Tensor& set_whole_storage(at::Tensor& tensor, at::Storage storage) {
  const auto length = static_cast<int64_t>(storage.nbytes() / tensor.itemsize());
  return set_storage(tensor, std::move(storage), 0, length, 1);
}

// All others: lend the CPU's kernel the same memory, and give its results back as the device's.

/// The tensors of one call, each by its other name.
class Loan {
 public:
  /// What the kernel is given instead of a tensor of the device; one tensor stays one, and shared memory shared.
  at::Tensor lend(const at::Tensor& tensor) {
    if (!tensor.defined() || tensor.device().is_cpu()) return tensor;
    TORCH_CHECK(tensor.layout() == at::kStrided && !tensor.is_complex() && !tensor.is_quantized(), "not rehearsed");
    for (const auto& [ours, theirs] : lent_) {
      if (ours.is_same(tensor)) return theirs;
    }
    auto* key = tensor.storage().unsafeGetStorageImpl();
    auto found = storages_.find(key);
    if (found == storages_.end()) {
      found = storages_.emplace(key, moved(tensor.storage(), c10::DeviceType::CPU)).first;
      back_.emplace(found->second.unsafeGetStorageImpl(), tensor.storage());
    }
    lent_.emplace_back(tensor, over(found->second, tensor, ON_CPU));
    return lent_.back().second;
  }

  /// What the kernel did to the shapes of what it was lent, or to where it lies, happens to the tensors themselves.
  void settle() {
    for (auto& [ours, theirs] : lent_) {
      auto* storage = ours.storage().unsafeGetStorageImpl();
      const auto& used = theirs.storage();
      if (used.data() != storage->data()) storage->set_data_ptr_noswap(same_memory(used, DEVICE));
      storage->set_nbytes(used.nbytes());
      auto* impl = ours.unsafeGetTensorImpl();
      if (ours.sizes() != theirs.sizes() || ours.strides() != theirs.strides() ||
          ours.storage_offset() != theirs.storage_offset()) {
        impl->set_sizes_and_strides(theirs.sizes(), theirs.strides(), theirs.storage_offset());
      }
    }
  }

  /// A result as the caller gets it: the tensor that was lent, a view of its memory, or a new one.
  at::Tensor give_back(const at::Tensor& result) {
    if (!result.defined()) return result;
    for (const auto& [ours, theirs] : lent_) {
      if (theirs.is_same(result)) return ours;
    }
    auto* key = result.storage().unsafeGetStorageImpl();
    auto found = back_.find(key);
    if (found == back_.end()) found = back_.emplace(key, moved(result.storage(), DEVICE)).first;
    return over(found->second, result, ON_DEVICE);
  }

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> lent_;
  std::unordered_map<c10::StorageImpl*, c10::Storage> storages_, back_;
};

/// Operators that take a CPU tensor beside one of the device: as an index, or to copy it.
const std::set<std::string> MIXED{
    "aten::index", "aten::_unsafe_index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_",
    "aten::_unsafe_index_put"};
/// Operators to which even a single number has to come from the device.
const std::set<std::string> STRICT{
    "aten::cat", "aten::embedding", "aten::gather", "aten::index_add", "aten::index_add_", "aten::index_copy",
    "aten::index_copy_", "aten::index_select", "aten::scatter", "aten::scatter_", "aten::take"};
/// Operators that look at values before they know how large their result is, or whether they succeed.
const std::set<std::string> LOOKING{
    "aten::_linalg_eigh", "aten::_linalg_svd", "aten::_unique", "aten::_unique2", "aten::bincount", "aten::equal",
    "aten::linalg_cholesky_ex", "aten::masked_select", "aten::multinomial", "aten::nonzero", "aten::unique_consecutive",
    "aten::unique_dim"};

/// Call a function with every tensor of an argument; `in_list` says whether it is one of several.
template <typename F>
void each_tensor(const c10::IValue& value, const F& f) {
  if (value.isTensor()) {
    f(value.toTensor(), false);
  } else if (value.isTensorList()) {
    for (const at::Tensor& tensor : value.toTensorVector()) f(tensor, true);
  } else if (value.isOptionalTensorList()) {
    for (const std::optional<at::Tensor> tensor : value.toOptionalTensorList()) f(tensor.value_or(at::Tensor()), true);
  }
}

/// Refuse what CUDA refuses, and count what it waits for.
void check(const c10::FunctionSchema& schema, c10::ArrayRef<c10::IValue> arguments) {
  const auto& name = schema.name();
  const bool mixed = MIXED.count(name) > 0;
  bool here = false, elsewhere = false, mask = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto* alias = schema.arguments()[i].alias_info();
    const bool written = alias != nullptr && alias->isWrite();
    each_tensor(arguments[i], [&](const at::Tensor& tensor, bool in_list) {
      if (!tensor.defined()) return;
      if (!tensor.device().is_cpu()) {
        here = true;
        mask |= in_list && (tensor.scalar_type() == at::kBool || tensor.scalar_type() == at::kByte);
      } else if (written || (!mixed && (in_list || tensor.dim() > 0 || STRICT.count(name)))) {
        elsewhere = true;
      }
    });
  }
  for (const auto& argument : arguments) {
    if (!argument.isGenerator()) continue;
    const auto device = argument.toGenerator().device();
    TORCH_CHECK(
        !here || device.type() == TYPE, "Expected a '", DEVICE, "' generator but found '", device, "', in ", name);
    here |= device.type() == TYPE;
  }
  TORCH_CHECK(
      !(here && elsewhere), "Expected all tensors to be on the same device, but found at least two devices, ", DEVICE,
      " and cpu, in ", name);
  if (LOOKING.count(name) || (mixed && mask)) wait(name);
  if (name == "aten::repeat_interleave" && arguments.back().isNone()) wait(name + " without output_size");
}

c10::IValue translate(const c10::IValue& value, const c10::Argument& argument, Loan& loan) {
  if (value.isTensor()) return loan.lend(value.toTensor());
  if (value.isTensorList()) {
    c10::List<at::Tensor> lent;
    for (const at::Tensor& tensor : value.toTensorVector()) lent.push_back(loan.lend(tensor));
    return lent;
  }
  if (value.isOptionalTensorList()) {
    c10::List<std::optional<at::Tensor>> lent;
    for (const std::optional<at::Tensor> tensor : value.toOptionalTensorList()) {
      lent.push_back(tensor ? std::optional(loan.lend(*tensor)) : std::nullopt);
    }
    return lent;
  }
  if (value.isDevice() && value.toDevice().type() == TYPE) return c10::Device(c10::DeviceType::CPU);
  const bool none = value.isNone() && *argument.type() == *c10::OptionalType::create(c10::GeneratorType::get());
  if (none || value.isGenerator()) {
    const auto generator = none ? at::detail::getPrivateUse1Hooks().getDefaultGenerator(0) : value.toGenerator();
    if (generator.device().type() == TYPE) return at::check_generator<DeviceGenerator>(generator)->drawn_from;
  }
  return value;
}

c10::IValue give_back(const c10::IValue& value, Loan& loan) {
  if (value.isTensor()) return loan.give_back(value.toTensor());
  if (!value.isTensorList()) return value;
  c10::List<at::Tensor> results;
  for (const at::Tensor& tensor : value.toTensorVector()) results.push_back(loan.give_back(tensor));
  return results;
}

void compute(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& schema = op.schema();
  const size_t n_arguments = schema.arguments().size(), n_results = schema.returns().size();
  const size_t base = stack->size() - n_arguments;
  check(schema, c10::ArrayRef<c10::IValue>(*stack).slice(base));
  Loan loan;
  for (size_t i = 0; i < n_arguments; ++i) {
    (*stack)[base + i] = translate((*stack)[base + i], schema.arguments()[i], loan);
  }
  op.redispatchBoxed(ON_CPU, stack);
  loan.settle();
  for (size_t i = stack->size() - n_results; i < stack->size(); ++i) (*stack)[i] = give_back((*stack)[i], loan);
}

}  // namespace

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", &new_memory);
  library.impl("empty_strided", &new_strided_memory);
  library.impl("_copy_from", &copy_values);
  library.impl("_copy_from_and_resize", &copy_to_size_of);
  library.impl("_local_scalar_dense", &read_value);
  library.impl("set_.source_Storage", &set_whole_storage);
  library.impl("set_.source_Storage_storage_offset", &set_storage);
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&compute>());
}

TORCH_LIBRARY_IMPL(_, AutocastPrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFallthrough());
}

// The lists of CUDA's autocast, by the macros that PyTorch makes CUDA's from.
namespace at::autocast {
#define LOWER(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, lower_precision_fp)
#define SINGLE(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, fp32)
#define SINGLE_TYPE(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, fp32_set_opt_dtype)
#define WIDEST(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, promote)
TORCH_LIBRARY_IMPL(aten, AutocastPrivateUse1, m) {
  AT_FORALL_LOWER_PRECISION_FP(LOWER)
  AT_FORALL_FP32(SINGLE)
  AT_FORALL_FP32_SET_OPT_DTYPE(SINGLE_TYPE)
  AT_FORALL_DIFFERENT_REDISPATCH_SIGNATURE(KERNEL_DIFFERENT_REDISPATCH_SIGNATURE_PRIVATEUSEONE)
  AT_FORALL_PROMOTE(WIDEST)
}
}  // namespace at::autocast

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  module.def("register_hooks", [] { at::RegisterPrivateUse1HooksInterface(new Hooks()); });
  module.def("counted", [] {
    const std::lock_guard<std::mutex> guard(counting);
    return counted;
  });
  module.def("forget", [] {
    const std::lock_guard<std::mutex> guard(counting);
    counted.clear();
  });
  module.def("forbid_waits", [](bool on) {
    const std::lock_guard<std::mutex> guard(counting);
    forbidden = on;
  });
}
