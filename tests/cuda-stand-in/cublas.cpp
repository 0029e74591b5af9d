// cuBLAS: matrix products, summed in double precision and rounded once.
#include <vector>

#include "driver.h"
#include "memory.h"
#include "multiply.h"
#include "number.h"
#include "report.h"
#include "stream.h"

using namespace stand_in;

namespace {

enum cublasStatus_t : int {
    CUBLAS_STATUS_SUCCESS = 0,
    CUBLAS_STATUS_NOT_INITIALIZED = 1,
    CUBLAS_STATUS_INVALID_VALUE = 7,
    CUBLAS_STATUS_NOT_SUPPORTED = 15,
};
constexpr int tf32_math = 3;
enum ComputeType { Compute32 = 68, Compute32Pedantic = 69, ComputeTf32 = 77, Compute64 = 70, Compute64Pedantic = 71 };

struct Handle {
    CUstream stream = nullptr;
    int math = 0;
};

cublasStatus_t refuse(cublasStatus_t status, const char* why) {
    note("cuBLAS: %s", why);
    return status;
}

// One matrix: column by column, `ld` elements apart, the matrices of a batch `stride` apart.
struct Matrix {
    const void* data;
    int ld;
    long long stride;
};

struct Product {
    Element element;
    bool transposed_a, transposed_b, tf32;
    size_t m, n, k, batch;
    double alpha, beta;
    Matrix a, b, c;
};

// Elements from a batch's first to its last, both included.
size_t extent(const Matrix& x, size_t rows, size_t columns, size_t batch) {
    if (rows == 0 || columns == 0 || batch == 0) return 0;
    return size_t(x.stride) * (batch - 1) + size_t(x.ld) * (columns - 1) + rows;
}

template <typename T>
double operand(T value, bool tf32) {
    return tf32 ? double(stand_in::tf32(float(value))) : double(value);
}

template <typename T>
void run(const Product& p) {
    std::vector<double> left(p.m * p.k), right(p.k * p.n), sums(p.m * p.n);
    for (size_t item = 0; item < p.batch; item++) {
        const T* a = static_cast<const T*>(p.a.data) + item * size_t(p.a.stride);
        const T* b = static_cast<const T*>(p.b.data) + item * size_t(p.b.stride);
        T* c = static_cast<T*>(const_cast<void*>(p.c.data)) + item * size_t(p.c.stride);
        const size_t lda = size_t(p.a.ld), ldb = size_t(p.b.ld), ldc = size_t(p.c.ld);
        for (size_t i = 0; i < p.m; i++) {
            for (size_t l = 0; l < p.k; l++) {
                left[i * p.k + l] = operand(p.transposed_a ? a[l + i * lda] : a[i + l * lda], p.tf32);
            }
        }
        for (size_t l = 0; l < p.k; l++) {
            for (size_t j = 0; j < p.n; j++) {
                right[l * p.n + j] = operand(p.transposed_b ? b[j + l * ldb] : b[l + j * ldb], p.tf32);
            }
        }
        sums.assign(sums.size(), 0.0);
        multiply_add(p.m, p.n, p.k, left.data(), right.data(), sums.data());
        for (size_t j = 0; j < p.n; j++) {
            for (size_t i = 0; i < p.m; i++) {
                T& result = c[i + j * ldc];
                // What was there is not read where beta is zero: it may be NaN.
                const double kept = p.beta == 0.0 ? 0.0 : p.beta * double(result);
                result = rounded<T>(p.alpha * sums[i * p.n + j] + kept);
            }
        }
    }
}

cublasStatus_t multiply(void* handle, Product p, int op_a, int op_b, int m, int n, int k, int batch) {
    Locked locked;
    if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (m < 0 || n < 0 || k < 0 || batch < 0) return refuse(CUBLAS_STATUS_INVALID_VALUE, "a size below zero");
    if (op_a < 0 || op_a > 2 || op_b < 0 || op_b > 2) return refuse(CUBLAS_STATUS_INVALID_VALUE, "an unknown operation");
    p.transposed_a = op_a != 0;
    p.transposed_b = op_b != 0;
    p.m = size_t(m);
    p.n = size_t(n);
    p.k = size_t(k);
    p.batch = size_t(batch);
    const int rows_a = p.transposed_a ? k : m, rows_b = p.transposed_b ? n : k;
    if (p.a.ld < (rows_a > 1 ? rows_a : 1) || p.b.ld < (rows_b > 1 ? rows_b : 1) || p.c.ld < (m > 1 ? m : 1)) {
        return refuse(CUBLAS_STATUS_INVALID_VALUE, "columns that overlap: a leading dimension is too small");
    }
    const size_t bytes = bytes_of(p.element);
    require(p.a.data, bytes * extent(p.a, size_t(rows_a), size_t(p.transposed_a ? m : k), p.batch), "cuBLAS", "A");
    require(p.b.data, bytes * extent(p.b, size_t(rows_b), size_t(p.transposed_b ? k : n), p.batch), "cuBLAS", "B");
    require(p.c.data, bytes * extent(p.c, p.m, p.n, p.batch), "cuBLAS", "C");
    count(Library);
    trace("matrix product of %d x %d by %d", m, n, k);
    submit(stream_of(static_cast<Handle*>(handle)->stream), [p] {
        with_element(p.element, [&](auto type) { run<decltype(type)>(p); });
    });
    return CUBLAS_STATUS_SUCCESS;
}

bool math_tf32(void* handle) { return handle && static_cast<Handle*>(handle)->math == tf32_math; }

Element element_of(int cuda_type) {
    switch (cuda_type) {
        case 0:
            return Element::Float;
        case 1:
            return Element::Double;
        case 14:
            return Element::Bf16;
        default:
            return Element::Unknown;
    }
}

}  // namespace

STAND_IN_API cublasStatus_t cublasCreate_v2(void** handle) {
    *handle = new Handle;
    return CUBLAS_STATUS_SUCCESS;
}
STAND_IN_API cublasStatus_t cublasDestroy_v2(void* handle) {
    delete static_cast<Handle*>(handle);
    return CUBLAS_STATUS_SUCCESS;
}
STAND_IN_API cublasStatus_t cublasGetVersion_v2(void*, int* version) {
    *version = 130000;
    return CUBLAS_STATUS_SUCCESS;
}
// Major, minor or patch.
STAND_IN_API cublasStatus_t cublasGetProperty(int which, int* value) {
    *value = which == 0 ? 13 : 0;
    return CUBLAS_STATUS_SUCCESS;
}
STAND_IN_API size_t cublasLtGetVersion() { return 130000; }
STAND_IN_API cublasStatus_t cublasSetStream_v2(void* handle, CUstream stream) {
    static_cast<Handle*>(handle)->stream = stream;
    return CUBLAS_STATUS_SUCCESS;
}
STAND_IN_API cublasStatus_t cublasGetStream_v2(void* handle, CUstream* stream) {
    *stream = static_cast<Handle*>(handle)->stream;
    return CUBLAS_STATUS_SUCCESS;
}
STAND_IN_API cublasStatus_t cublasSetMathMode(void* handle, int mode) {
    static_cast<Handle*>(handle)->math = mode & 15;
    return CUBLAS_STATUS_SUCCESS;
}
STAND_IN_API cublasStatus_t cublasGetMathMode(void* handle, int* mode) {
    *mode = static_cast<Handle*>(handle)->math;
    return CUBLAS_STATUS_SUCCESS;
}
STAND_IN_API cublasStatus_t cublasSetWorkspace_v2(void*, void* workspace, size_t bytes) {
    Locked locked;
    require(workspace, bytes, "cublasSetWorkspace", "the workspace");
    return CUBLAS_STATUS_SUCCESS;
}
STAND_IN_API cublasStatus_t cublasSetPointerMode_v2(void*, int mode) {
    return mode == 0 ? CUBLAS_STATUS_SUCCESS
                     : refuse(CUBLAS_STATUS_NOT_SUPPORTED, "scalars in device memory are not modelled");
}
STAND_IN_API cublasStatus_t cublasGetPointerMode_v2(void*, int* mode) {
    *mode = 0;
    return CUBLAS_STATUS_SUCCESS;
}
STAND_IN_API const char* cublasGetStatusName(cublasStatus_t status) {
    return status == CUBLAS_STATUS_SUCCESS ? "CUBLAS_STATUS_SUCCESS" : "CUBLAS_STATUS other than success";
}
STAND_IN_API const char* cublasGetStatusString(cublasStatus_t status) { return cublasGetStatusName(status); }

STAND_IN_API cublasStatus_t cublasSgemm_v2(
    void* handle, int op_a, int op_b, int m, int n, int k, const float* alpha, const float* a, int lda, const float* b,
    int ldb, const float* beta, float* c, int ldc
) {
    Product p{Element::Float, false, false, math_tf32(handle), 0, 0, 0, 1, *alpha, *beta, {a, lda, 0}, {b, ldb, 0}, {c, ldc, 0}};
    return multiply(handle, p, op_a, op_b, m, n, k, 1);
}

STAND_IN_API cublasStatus_t cublasDgemm_v2(
    void* handle, int op_a, int op_b, int m, int n, int k, const double* alpha, const double* a, int lda,
    const double* b, int ldb, const double* beta, double* c, int ldc
) {
    Product p{Element::Double, false, false, false, 0, 0, 0, 1, *alpha, *beta, {a, lda, 0}, {b, ldb, 0}, {c, ldc, 0}};
    return multiply(handle, p, op_a, op_b, m, n, k, 1);
}

STAND_IN_API cublasStatus_t cublasSgemmStridedBatched(
    void* handle, int op_a, int op_b, int m, int n, int k, const float* alpha, const float* a, int lda, long long sa,
    const float* b, int ldb, long long sb, const float* beta, float* c, int ldc, long long sc, int batch
) {
    Product p{Element::Float, false, false, math_tf32(handle), 0, 0, 0, 0, *alpha, *beta, {a, lda, sa}, {b, ldb, sb}, {c, ldc, sc}};
    return multiply(handle, p, op_a, op_b, m, n, k, batch);
}

STAND_IN_API cublasStatus_t cublasDgemmStridedBatched(
    void* handle, int op_a, int op_b, int m, int n, int k, const double* alpha, const double* a, int lda, long long sa,
    const double* b, int ldb, long long sb, const double* beta, double* c, int ldc, long long sc, int batch
) {
    Product p{Element::Double, false, false, false, 0, 0, 0, 0, *alpha, *beta, {a, lda, sa}, {b, ldb, sb}, {c, ldc, sc}};
    return multiply(handle, p, op_a, op_b, m, n, k, batch);
}

STAND_IN_API cublasStatus_t cublasGemmStridedBatchedEx(
    void* handle, int op_a, int op_b, int m, int n, int k, const void* alpha, const void* a, int type_a, int lda,
    long long sa, const void* b, int type_b, int ldb, long long sb, const void* beta, void* c, int type_c, int ldc,
    long long sc, int batch, int compute, int
) {
    const Element element = element_of(type_a);
    if (element == Element::Unknown || type_b != type_a || type_c != type_a) {
        return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "GemmEx: only products within float, double or bf16 are modelled");
    }
    const bool wide = compute == Compute64 || compute == Compute64Pedantic;
    const bool narrow = compute == Compute32 || compute == Compute32Pedantic || compute == ComputeTf32;
    if (wide ? element != Element::Double : !narrow || element == Element::Double) {
        return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "GemmEx: a compute type that does not go with the elements");
    }
    const bool tf32 = element == Element::Float && (compute == ComputeTf32 || (compute == Compute32 && math_tf32(handle)));
    const double scale = wide ? *static_cast<const double*>(alpha) : *static_cast<const float*>(alpha);
    const double keep = wide ? *static_cast<const double*>(beta) : *static_cast<const float*>(beta);
    Product p{element, false, false, tf32, 0, 0, 0, 0, scale, keep, {a, lda, sa}, {b, ldb, sb}, {c, ldc, sc}};
    return multiply(handle, p, op_a, op_b, m, n, k, batch);
}

STAND_IN_API cublasStatus_t cublasGemmEx(
    void* handle, int op_a, int op_b, int m, int n, int k, const void* alpha, const void* a, int type_a, int lda,
    const void* b, int type_b, int ldb, const void* beta, void* c, int type_c, int ldc, int compute, int algorithm
) {
    return cublasGemmStridedBatchedEx(
        handle, op_a, op_b, m, n, k, alpha, a, type_a, lda, 0, b, type_b, ldb, 0, beta, c, type_c, ldc, 0, 1, compute,
        algorithm
    );
}

#define NOT_MODELLED(name)                                                                          \
    STAND_IN_API cublasStatus_t name() { return refuse(CUBLAS_STATUS_NOT_SUPPORTED, #name " is not modelled"); }
NOT_MODELLED(cublasSgemv_v2)
NOT_MODELLED(cublasDgemv_v2)
NOT_MODELLED(cublasSasum_v2)
NOT_MODELLED(cublasDasum_v2)
NOT_MODELLED(cublasGemmGroupedBatchedEx)
