// CUDA C++ for a host compiler: what kernel sources use of the language and its library. Comes between kernel_abi.h and the
// kernels, which follow in a namespace without a name.
#pragma once
#include <assert.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <type_traits>
#include <utility>

using dim3 = stand_in::Dim3;

// Variables that are nobody's shared memory: out of .bss, which is taken for it.
#define STAND_IN_OWN static __attribute__((section("stand_in_own")))
STAND_IN_OWN dim3 threadIdx, blockIdx, blockDim, gridDim;
STAND_IN_OWN const stand_in::Block* stand_in_block;
static const int warpSize = 32;

#define __global__
#define __device__
#define __host__
#define __constant__ STAND_IN_OWN
#define __launch_bounds__(...)
#define __forceinline__ inline
#define __grid_constant__

// One block runs at a time, so its shared variables can be static ones. They lie together, and the stand-in spoils them before
// each block, as nothing may be taken over from the last one. The compiler leaves those of templates in .bss.
#define __shared__ static __attribute__((section("stand_in_shared")))
#define STAND_IN_EDGE(name, symbol) \
    extern char name[] __asm__(symbol) __attribute__((weak, visibility("hidden")))
STAND_IN_EDGE(stand_in_shared_start, "__start_stand_in_shared");
STAND_IN_EDGE(stand_in_shared_end, "__stop_stand_in_shared");
STAND_IN_EDGE(stand_in_bss_start, "__bss_start");
STAND_IN_EDGE(stand_in_bss_end, "_end");

// Where __builtin_LINE is a default argument it is the caller's line.
inline void __syncthreads(int line = __builtin_LINE()) { stand_in_block->barrier(line); }
inline void __threadfence() {}
inline void __threadfence_block() {}

template <typename T>
T stand_in_exchange(stand_in::Exchange kind, unsigned mask, T value, unsigned operand, unsigned width, int line) {
    static_assert(sizeof(T) <= 8 && std::is_trivially_copyable<T>::value, "shuffles take up to eight bytes");
    unsigned long long bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = stand_in_block->exchange(kind, mask, bits, operand, width, line);
    memcpy(&value, &bits, sizeof value);
    return value;
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, int line = __builtin_LINE()) {
    return stand_in_exchange(stand_in::Exchange::Xor, mask, value, lanes, width, line);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned lanes, int width = 32, int line = __builtin_LINE()) {
    return stand_in_exchange(stand_in::Exchange::Up, mask, value, lanes, width, line);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned lanes, int width = 32, int line = __builtin_LINE()) {
    return stand_in_exchange(stand_in::Exchange::Down, mask, value, lanes, width, line);
}
template <typename T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, int line = __builtin_LINE()) {
    return stand_in_exchange(stand_in::Exchange::Index, mask, value, lane, width, line);
}
inline void __syncwarp(unsigned mask = 0xffffffffu, int line = __builtin_LINE()) {
    stand_in_block->exchange(stand_in::Exchange::Sync, mask, 0, 0, 32, line);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
    return unsigned(stand_in_block->exchange(stand_in::Exchange::Ballot, mask, predicate != 0, 0, 32, line));
}
inline int __any_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
    return __ballot_sync(mask, predicate, line) != 0;
}
inline int __all_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
    return __ballot_sync(mask, predicate, line) == mask;
}

// Threads take turns, so a plain read and write is an atomic one. The order is that of the threads, which is one of many.
template <typename T, typename V>
T stand_in_replace(T* address, V value) {
    const T before = *address;
    *address = T(value);
    return before;
}
template <typename T, typename V>
T atomicAdd(T* address, V value) { return stand_in_replace(address, *address + value); }
template <typename T, typename V>
T atomicMax(T* address, V value) { return stand_in_replace(address, *address > T(value) ? *address : T(value)); }
template <typename T, typename V>
T atomicMin(T* address, V value) { return stand_in_replace(address, *address < T(value) ? *address : T(value)); }
template <typename T, typename V>
T atomicExch(T* address, V value) { return stand_in_replace(address, value); }
template <typename T>
T atomicCAS(T* address, T expected, T value) {
    return stand_in_replace(address, *address == expected ? value : *address);
}

template <typename T>
T __ldg(const T* address) { return *address; }

template <typename A, typename B>
constexpr typename std::common_type<A, B>::type min(A a, B b) {
    using T = typename std::common_type<A, B>::type;
    return T(b) < T(a) ? T(b) : T(a);
}
template <typename A, typename B>
constexpr typename std::common_type<A, B>::type max(A a, B b) {
    using T = typename std::common_type<A, B>::type;
    return T(a) < T(b) ? T(b) : T(a);
}

template <typename To, typename From>
To stand_in_bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "of one size");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
inline int __float_as_int(float x) { return stand_in_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return stand_in_bits<unsigned>(x); }
inline float __int_as_float(int x) { return stand_in_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return stand_in_bits<float>(x); }
inline long long __double_as_longlong(double x) { return stand_in_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return stand_in_bits<double>(x); }

inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline float __frsqrt_rn(float x) { return rsqrtf(x); }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fdividef(float x, float y) { return x / y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsub_rn(float x, float y) { return x - y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
inline double __dadd_rn(double x, double y) { return x + y; }
inline double __dmul_rn(double x, double y) { return x * y; }
inline double __fma_rn(double x, double y, double z) { return fma(x, y, z); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __saturatef(float x) { return x > 1.0f ? 1.0f : x > 0.0f ? x : 0.0f; }
inline int __float2int_rn(float x) { return int(rintf(x)); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(unsigned(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
    return (unsigned long long)((unsigned __int128)x * y >> 64);
}
inline unsigned __umulhi(unsigned x, unsigned y) { return unsigned((unsigned long long)x * y >> 32); }

#define STAND_IN_VECTORS(type, name, bytes)                                                      \
    struct alignas(2 * bytes) name##2 { type x, y; };                                             \
    struct name##3 { type x, y, z; };                                                             \
    struct alignas(4 * bytes > 16 ? 16 : 4 * bytes) name##4 { type x, y, z, w; };                 \
    inline name##2 make_##name##2(type x, type y) { return {x, y}; }                              \
    inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }                   \
    inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
STAND_IN_VECTORS(float, float, 4)
STAND_IN_VECTORS(double, double, 8)
STAND_IN_VECTORS(int, int, 4)
STAND_IN_VECTORS(unsigned, uint, 4)
STAND_IN_VECTORS(unsigned short, ushort, 2)
STAND_IN_VECTORS(long long, longlong, 8)
STAND_IN_VECTORS(unsigned long long, ulonglong, 8)
#undef STAND_IN_VECTORS

// Makes a kernel's thread out of the addresses of its arguments.
template <auto kernel>
struct StandInKernel;
template <typename... A, void (*kernel)(A...)>
struct StandInKernel<kernel> {
    // One more than there are: an array cannot be empty.
    static constexpr stand_in::Parameter parameters[] = {
        {unsigned(sizeof(A)), std::is_pointer<A>::value}..., {0, false}
    };
    template <size_t... I>
    static void call(void** arguments, std::index_sequence<I...>) {
        kernel(*static_cast<typename std::decay<A>::type*>(arguments[I])...);
    }
    static void thread(void** arguments) { call(arguments, std::index_sequence_for<A...>()); }
    static constexpr stand_in::Kernel entry(const char* name) {
        return {name, parameters, unsigned(sizeof...(A)), &thread};
    }
};

#define STAND_IN_MODULE(...)                                                                      \
    static const stand_in::Kernel stand_in_kernels[] = {__VA_ARGS__};                              \
    extern "C" __attribute__((visibility("default"))) stand_in::Module stand_in_module(            \
        const stand_in::Block* block                                                               \
    ) {                                                                                            \
        stand_in_block = block;                                                                    \
        return {stand_in_kernels, unsigned(sizeof stand_in_kernels / sizeof *stand_in_kernels),    \
                &threadIdx,       &blockIdx,           &blockDim, &gridDim,                        \
                {{stand_in_shared_start, stand_in_shared_end}, {stand_in_bss_start, stand_in_bss_end}}}; \
    }
