// cuDNN: descriptors, the choice of algorithms, and convolutions.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "convolution.h"
#include "driver.h"
#include "memory.h"
#include "report.h"
#include "stream.h"

using namespace stand_in;

namespace {

enum cudnnStatus_t : int {
    CUDNN_STATUS_SUCCESS = 0,
    CUDNN_STATUS_NOT_INITIALIZED = 1001,
    CUDNN_STATUS_BAD_PARAM = 2000,
    // Whether cuDNN refuses such operands or only becomes slow depends on the algorithm; here it always refuses.
    CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER = 2003,
    CUDNN_STATUS_NOT_SUPPORTED = 3000,
};
enum Format { Nchw = 0, Nhwc = 1, Strided = -1 };
enum Math { DefaultMath = 0, TensorOp = 1, TensorOpConversion = 2, FmaMath = 3 };
enum class Direction { Forward, BackwardData, BackwardFilter };

struct Handle {
    CUstream stream = nullptr;
};

struct Tensor {
    Element element = Element::Unknown;
    int format = Nchw;
    Layout layout{};
};
// A filter's lengths are outputs, inputs, height, width; with NHWC the inputs of one pixel lie side by side.
struct Filter : Tensor {};

struct ConvolutionDescriptor {
    int padding[2]{}, stride[2]{}, dilation[2]{}, groups = 1, math = DefaultMath;
    Element compute = Element::Unknown;
};

cudnnStatus_t refuse(cudnnStatus_t status, const std::string& why) {
    note("cuDNN: %s", why.c_str());
    return status;
}

Element element_of(int type) {
    switch (type) {
        case 0:
            return Element::Float;
        case 1:
            return Element::Double;
        case 9:
            return Element::Bf16;
        default:
            return Element::Unknown;
    }
}

cudnnStatus_t describe(Tensor& tensor, int type, int format, const int lengths[4], const int* strides) {
    tensor.element = element_of(type);
    tensor.format = format;
    if (tensor.element == Element::Unknown) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "an element type that is not modelled");
    for (int i = 0; i < 4; i++) {
        if (lengths[i] < 1) return refuse(CUDNN_STATUS_BAD_PARAM, "a tensor with a length below one");
        tensor.layout.length[i] = size_t(lengths[i]);
    }
    const size_t c = tensor.layout.length[1], h = tensor.layout.length[2], w = tensor.layout.length[3];
    if (format == Nchw) {
        const size_t packed[4] = {c * h * w, h * w, w, 1};
        std::copy(packed, packed + 4, tensor.layout.stride);
    } else if (format == Nhwc) {
        const size_t packed[4] = {h * w * c, 1, w * c, c};
        std::copy(packed, packed + 4, tensor.layout.stride);
    } else if (format == Strided) {
        for (int i = 0; i < 4; i++) {
            if (strides[i] < 1) return refuse(CUDNN_STATUS_BAD_PARAM, "a tensor with a stride below one");
            tensor.layout.stride[i] = size_t(strides[i]);
        }
        tensor.format = strides[1] == 1 && c > 1 ? Nhwc : Nchw;
    } else {
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "a tensor format that is not modelled");
    }
    return CUDNN_STATUS_SUCCESS;
}

std::string text(const Layout& layout) {
    std::string result;
    for (int i = 0; i < 4; i++) result += (i ? "x" : "") + std::to_string(layout.length[i]);
    return result;
}

// One channel, or one pixel, is the same in both formats.
bool either_format(const Tensor& t) {
    return t.layout.length[1] == 1 || t.layout.length[2] * t.layout.length[3] == 1;
}

// Whether the descriptors belong together.
cudnnStatus_t fit(const Tensor& x, const Filter& w, const ConvolutionDescriptor& c, const Tensor& y) {
    if (x.element != w.element || x.element != y.element) {
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "operands of different element types");
    }
    if (c.compute != (x.element == Element::Double ? Element::Double : Element::Float)) {
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "a compute type that does not go with the elements");
    }
    bool same = true;
    for (const Tensor* t : {static_cast<const Tensor*>(&w), &y}) {
        same = same && (t->format == x.format || either_format(*t) || either_format(x));
    }
    if (!same) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "operands of different formats");
    const size_t groups = size_t(c.groups);
    bool fits = x.layout.length[0] == y.layout.length[0] && y.layout.length[1] == w.layout.length[0] &&
                x.layout.length[1] == w.layout.length[1] * groups && w.layout.length[0] % groups == 0;
    for (int i = 0; i < 2; i++) {
        const long window = long(w.layout.length[2 + i] - 1) * c.dilation[i] + 1;
        const long room = long(x.layout.length[2 + i]) + 2 * c.padding[i] - window;
        fits = fits && room >= 0 && y.layout.length[2 + i] == size_t(room / c.stride[i] + 1);
    }
    if (!fits) {
        return refuse(
            CUDNN_STATUS_BAD_PARAM, "descriptors that do not fit: x " + text(x.layout) + ", w " + text(w.layout) +
                                        ", y " + text(y.layout)
        );
    }
    return CUDNN_STATUS_SUCCESS;
}

bool tf32_allowed(const Tensor& x, const ConvolutionDescriptor& c) {
    return x.element == Element::Float && c.math != FmaMath;
}

// Whether sums come out the same each time.
bool repeatable(Direction direction, int algorithm) {
    if (direction == Direction::BackwardData) return algorithm != 0;
    if (direction == Direction::BackwardFilter) return algorithm != 0 && algorithm != 3;
    return true;
}

// Algorithms that can be had, the first of which is recommended: a choice that meets a program's corners, not cuDNN's own.
// Those that sum in no fixed order come first.
std::vector<int> algorithms(Direction direction, const Tensor& x, const Filter& w, const ConvolutionDescriptor& c) {
    const bool plain = x.element == Element::Float && x.format == Nchw;
    const bool three = w.layout.length[2] == 3 && w.layout.length[3] == 3 && c.stride[0] == 1 && c.stride[1] == 1;
    switch (direction) {
        case Direction::Forward:
            // Winograd, the implicit product with indices made beforehand, the implicit product.
            return plain && three ? std::vector<int>{6, 1, 0} : std::vector<int>{1, 0};
        case Direction::BackwardData:
            return {0, 1};
        case Direction::BackwardFilter:
            return plain ? std::vector<int>{3, 0, 1} : std::vector<int>{0, 1};
    }
    return {};
}

// The bytes an algorithm asks for. Winograd says only here that it cannot do images of odd height, so that the way around
// is gone too.
cudnnStatus_t workspace(
    Direction direction, const Tensor& x, const Filter& w, const ConvolutionDescriptor& c, const Tensor& y,
    int algorithm, size_t* bytes
) {
    if (const cudnnStatus_t status = fit(x, w, c, y)) return status;
    const std::vector<int> offered = algorithms(direction, x, w, c);
    const bool winograd = direction == Direction::Forward && algorithm == 6;
    if (std::find(offered.begin(), offered.end(), algorithm) == offered.end() ||
        (winograd && x.layout.length[2] % 2 == 1)) {
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    *bytes = direction == Direction::Forward && algorithm == 0 ? 0 : 64 + 8 * x.layout.length[2] * x.layout.length[3];
    return CUDNN_STATUS_SUCCESS;
}

// What cudnnConvolutionFwdAlgoPerf_t and its two siblings hold.
struct Performance {
    int algorithm, status;
    float time;
    size_t memory;
    int determinism, math, reserved[3];
};

cudnnStatus_t recommend(
    Direction direction, const Tensor& x, const Filter& w, const ConvolutionDescriptor& c, const Tensor& y,
    int requested, int* returned, Performance* results
) {
    if (const cudnnStatus_t status = fit(x, w, c, y)) return status;
    const std::vector<int> offered = algorithms(direction, x, w, c);
    *returned = std::min(requested, int(offered.size()));
    for (int i = 0; i < *returned; i++) {
        results[i] = {};
        results[i].algorithm = offered[size_t(i)];
        results[i].time = -1.0f;
        results[i].determinism = repeatable(direction, results[i].algorithm);
        results[i].math = c.math;
        // Of a workspace that cannot be had it says nothing yet.
        workspace(direction, x, w, c, y, results[i].algorithm, &results[i].memory);
        results[i].status = CUDNN_STATUS_SUCCESS;
    }
    return CUDNN_STATUS_SUCCESS;
}

struct Operands {
    const void *x, *w, *y;
};

cudnnStatus_t run(
    Direction direction, void* handle, const Tensor& x, const Filter& w, const ConvolutionDescriptor& c,
    const Tensor& y, Operands data, int algorithm, void* space, size_t space_bytes, const void* alpha, const void* beta
) {
    Locked locked;
    if (!handle) return CUDNN_STATUS_NOT_INITIALIZED;
    size_t needed = 0;
    if (const cudnnStatus_t status = workspace(direction, x, w, c, y, algorithm, &needed)) {
        return refuse(status, "algorithm " + std::to_string(algorithm) + " for a convolution that it cannot do");
    }
    if (!repeatable(direction, algorithm) && !settings().any_algorithm) {
        fault("cuDNN: algorithm %d sums in no fixed order, and must not be chosen", algorithm);
    }
    if (space_bytes < needed) return refuse(CUDNN_STATUS_BAD_PARAM, "too small a workspace");
    if (needed) require(space, space_bytes, "cuDNN", "the workspace");
    const size_t bytes = bytes_of(x.element);
    require(data.x, bytes * x.layout.extent(), "cuDNN", "x");
    require(data.w, bytes * w.layout.extent(), "cuDNN", "w");
    require(data.y, bytes * y.layout.extent(), "cuDNN", "y");
    for (const void* operand : {data.x, data.w, data.y, static_cast<const void*>(space)}) {
        if (reinterpret_cast<uintptr_t>(operand) % 16 != 0) {
            return refuse(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, "an operand that is not aligned to 16 bytes");
        }
    }
    const bool wide = x.element == Element::Double;
    const double scale = wide ? *static_cast<const double*>(alpha) : *static_cast<const float*>(alpha);
    const double keep = wide ? *static_cast<const double*>(beta) : *static_cast<const float*>(beta);
    Convolution task{x.element, x.layout, w.layout, y.layout, {}, {}, {}, size_t(c.groups), tf32_allowed(x, c)};
    for (int i = 0; i < 2; i++) {
        task.padding[i] = size_t(c.padding[i]);
        task.stride[i] = size_t(c.stride[i]);
        task.dilation[i] = size_t(c.dilation[i]);
    }
    count(Library);
    trace(
        "convolution %d: x %s, w %s, y %s%s", int(direction), text(x.layout).c_str(), text(w.layout).c_str(),
        text(y.layout).c_str(), task.tf32 ? ", TF32" : ""
    );
    submit(stream_of(static_cast<Handle*>(handle)->stream), [=] {
        // What the workspace held is lost.
        if (needed) memset(space, 0x5a, space_bytes);
        switch (direction) {
            case Direction::Forward:
                convolve(task, scale, data.x, data.w, keep, const_cast<void*>(data.y));
                break;
            case Direction::BackwardData:
                convolve_backward_data(task, scale, data.w, data.y, keep, const_cast<void*>(data.x));
                break;
            case Direction::BackwardFilter:
                convolve_backward_filter(task, scale, data.x, data.y, keep, const_cast<void*>(data.w));
                break;
        }
    });
    return CUDNN_STATUS_SUCCESS;
}

}  // namespace

STAND_IN_API size_t cudnnGetVersion() { return 91900; }
STAND_IN_API size_t cudnnGetCudartVersion() { return 13000; }
STAND_IN_API const char* cudnnGetErrorString(cudnnStatus_t status) {
    switch (status) {
        case CUDNN_STATUS_SUCCESS:
            return "CUDNN_STATUS_SUCCESS";
        case CUDNN_STATUS_NOT_INITIALIZED:
            return "CUDNN_STATUS_NOT_INITIALIZED";
        case CUDNN_STATUS_BAD_PARAM:
            return "CUDNN_STATUS_BAD_PARAM";
        case CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER:
            return "CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER";
        case CUDNN_STATUS_NOT_SUPPORTED:
            return "CUDNN_STATUS_NOT_SUPPORTED";
    }
    return "CUDNN_STATUS unknown";
}
STAND_IN_API void cudnnGetLastErrorString(char* message, size_t bytes) {
    if (bytes) *message = 0;
}
STAND_IN_API cudnnStatus_t cudnnCreate(Handle** handle) {
    *handle = new Handle;
    return CUDNN_STATUS_SUCCESS;
}
STAND_IN_API cudnnStatus_t cudnnDestroy(Handle* handle) {
    delete handle;
    return CUDNN_STATUS_SUCCESS;
}
STAND_IN_API cudnnStatus_t cudnnSetStream(Handle* handle, CUstream stream) {
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}
STAND_IN_API cudnnStatus_t cudnnGetStream(Handle* handle, CUstream* stream) {
    *stream = handle->stream;
    return CUDNN_STATUS_SUCCESS;
}

STAND_IN_API cudnnStatus_t cudnnCreateTensorDescriptor(Tensor** tensor) {
    *tensor = new Tensor;
    return CUDNN_STATUS_SUCCESS;
}
STAND_IN_API cudnnStatus_t cudnnDestroyTensorDescriptor(Tensor* tensor) {
    delete tensor;
    return CUDNN_STATUS_SUCCESS;
}
STAND_IN_API cudnnStatus_t cudnnSetTensor4dDescriptor(Tensor* tensor, int format, int type, int n, int c, int h, int w) {
    const int lengths[4] = {n, c, h, w};
    if (format != Nchw && format != Nhwc) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "a tensor format that is not modelled");
    return describe(*tensor, type, format, lengths, nullptr);
}
STAND_IN_API cudnnStatus_t cudnnSetTensor4dDescriptorEx(
    Tensor* tensor, int type, int n, int c, int h, int w, int sn, int sc, int sh, int sw
) {
    const int lengths[4] = {n, c, h, w}, strides[4] = {sn, sc, sh, sw};
    return describe(*tensor, type, Strided, lengths, strides);
}
STAND_IN_API cudnnStatus_t cudnnSetTensorNdDescriptor(
    Tensor* tensor, int type, int count, const int* lengths, const int* strides
) {
    if (count != 4) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "only tensors of four axes are modelled");
    return describe(*tensor, type, Strided, lengths, strides);
}
STAND_IN_API cudnnStatus_t cudnnSetTensorNdDescriptorEx(
    Tensor* tensor, int format, int type, int count, const int* lengths
) {
    if (count != 4) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "only tensors of four axes are modelled");
    return cudnnSetTensor4dDescriptor(tensor, format, type, lengths[0], lengths[1], lengths[2], lengths[3]);
}

STAND_IN_API cudnnStatus_t cudnnCreateFilterDescriptor(Filter** filter) {
    *filter = new Filter;
    return CUDNN_STATUS_SUCCESS;
}
STAND_IN_API cudnnStatus_t cudnnDestroyFilterDescriptor(Filter* filter) {
    delete filter;
    return CUDNN_STATUS_SUCCESS;
}
STAND_IN_API cudnnStatus_t cudnnSetFilter4dDescriptor(Filter* filter, int type, int format, int k, int c, int h, int w) {
    return cudnnSetTensor4dDescriptor(filter, format, type, k, c, h, w);
}
STAND_IN_API cudnnStatus_t cudnnSetFilterNdDescriptor(
    Filter* filter, int type, int format, int count, const int* lengths
) {
    return cudnnSetTensorNdDescriptorEx(filter, format, type, count, lengths);
}

STAND_IN_API cudnnStatus_t cudnnCreateConvolutionDescriptor(ConvolutionDescriptor** convolution) {
    *convolution = new ConvolutionDescriptor;
    return CUDNN_STATUS_SUCCESS;
}
STAND_IN_API cudnnStatus_t cudnnDestroyConvolutionDescriptor(ConvolutionDescriptor* convolution) {
    delete convolution;
    return CUDNN_STATUS_SUCCESS;
}
STAND_IN_API cudnnStatus_t cudnnSetConvolutionNdDescriptor(
    ConvolutionDescriptor* c, int count, const int* padding, const int* stride, const int* dilation, int mode, int type
) {
    if (count != 2) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "only convolutions of two axes are modelled");
    if (mode != 1) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "only cross-correlation is modelled");
    c->compute = element_of(type);
    for (int i = 0; i < 2; i++) {
        if (padding[i] < 0 || stride[i] < 1 || dilation[i] < 1) return refuse(CUDNN_STATUS_BAD_PARAM, "an impossible convolution");
        c->padding[i] = padding[i];
        c->stride[i] = stride[i];
        c->dilation[i] = dilation[i];
    }
    return CUDNN_STATUS_SUCCESS;
}
STAND_IN_API cudnnStatus_t cudnnSetConvolution2dDescriptor(
    ConvolutionDescriptor* c, int pad_h, int pad_w, int stride_h, int stride_w, int dilation_h, int dilation_w,
    int mode, int type
) {
    const int padding[2] = {pad_h, pad_w}, stride[2] = {stride_h, stride_w}, dilation[2] = {dilation_h, dilation_w};
    return cudnnSetConvolutionNdDescriptor(c, 2, padding, stride, dilation, mode, type);
}
STAND_IN_API cudnnStatus_t cudnnSetConvolutionMathType(ConvolutionDescriptor* c, int math) {
    if (math < DefaultMath || math > FmaMath) return refuse(CUDNN_STATUS_BAD_PARAM, "an unknown math type");
    c->math = math;
    return CUDNN_STATUS_SUCCESS;
}
STAND_IN_API cudnnStatus_t cudnnGetConvolutionMathType(ConvolutionDescriptor* c, int* math) {
    *math = c->math;
    return CUDNN_STATUS_SUCCESS;
}
STAND_IN_API cudnnStatus_t cudnnSetConvolutionGroupCount(ConvolutionDescriptor* c, int groups) {
    if (groups < 1) return refuse(CUDNN_STATUS_BAD_PARAM, "fewer than one group");
    c->groups = groups;
    return CUDNN_STATUS_SUCCESS;
}
STAND_IN_API cudnnStatus_t cudnnSetConvolutionReorderType(ConvolutionDescriptor*, int) { return CUDNN_STATUS_SUCCESS; }

STAND_IN_API cudnnStatus_t cudnnGetConvolution2dForwardOutputDim(
    const ConvolutionDescriptor* c, const Tensor* x, const Filter* w, int* n, int* channels, int* height, int* width
) {
    *n = int(x->layout.length[0]);
    *channels = int(w->layout.length[0]);
    int* const sides[2] = {height, width};
    for (int i = 0; i < 2; i++) {
        const int window = int(w->layout.length[2 + i] - 1) * c->dilation[i] + 1;
        *sides[i] = (int(x->layout.length[2 + i]) + 2 * c->padding[i] - window) / c->stride[i] + 1;
    }
    return CUDNN_STATUS_SUCCESS;
}

STAND_IN_API cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(
    Handle*, const Tensor* x, const Filter* w, const ConvolutionDescriptor* c, const Tensor* y, int requested,
    int* returned, Performance* results
) {
    return recommend(Direction::Forward, *x, *w, *c, *y, requested, returned, results);
}
STAND_IN_API cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(
    Handle*, const Filter* w, const Tensor* dy, const ConvolutionDescriptor* c, const Tensor* dx, int requested,
    int* returned, Performance* results
) {
    return recommend(Direction::BackwardData, *dx, *w, *c, *dy, requested, returned, results);
}
STAND_IN_API cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(
    Handle*, const Tensor* x, const Tensor* dy, const ConvolutionDescriptor* c, const Filter* dw, int requested,
    int* returned, Performance* results
) {
    return recommend(Direction::BackwardFilter, *x, *dw, *c, *dy, requested, returned, results);
}

STAND_IN_API cudnnStatus_t cudnnGetConvolutionForwardAlgorithmMaxCount(Handle*, int* count) {
    *count = 8;
    return CUDNN_STATUS_SUCCESS;
}
STAND_IN_API cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithmMaxCount(Handle*, int* count) {
    *count = 6;
    return CUDNN_STATUS_SUCCESS;
}
STAND_IN_API cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithmMaxCount(Handle*, int* count) {
    *count = 7;
    return CUDNN_STATUS_SUCCESS;
}

STAND_IN_API cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(
    Handle*, const Tensor* x, const Filter* w, const ConvolutionDescriptor* c, const Tensor* y, int algorithm,
    size_t* bytes
) {
    return workspace(Direction::Forward, *x, *w, *c, *y, algorithm, bytes);
}
STAND_IN_API cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(
    Handle*, const Filter* w, const Tensor* dy, const ConvolutionDescriptor* c, const Tensor* dx, int algorithm,
    size_t* bytes
) {
    return workspace(Direction::BackwardData, *dx, *w, *c, *dy, algorithm, bytes);
}
STAND_IN_API cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(
    Handle*, const Tensor* x, const Tensor* dy, const ConvolutionDescriptor* c, const Filter* dw, int algorithm,
    size_t* bytes
) {
    return workspace(Direction::BackwardFilter, *x, *dw, *c, *dy, algorithm, bytes);
}

STAND_IN_API cudnnStatus_t cudnnConvolutionForward(
    Handle* handle, const void* alpha, const Tensor* x, const void* x_data, const Filter* w, const void* w_data,
    const ConvolutionDescriptor* c, int algorithm, void* space, size_t bytes, const void* beta, const Tensor* y,
    void* y_data
) {
    return run(
        Direction::Forward, handle, *x, *w, *c, *y, {x_data, w_data, y_data}, algorithm, space, bytes, alpha, beta
    );
}
STAND_IN_API cudnnStatus_t cudnnConvolutionBackwardData(
    Handle* handle, const void* alpha, const Filter* w, const void* w_data, const Tensor* dy, const void* dy_data,
    const ConvolutionDescriptor* c, int algorithm, void* space, size_t bytes, const void* beta, const Tensor* dx,
    void* dx_data
) {
    return run(
        Direction::BackwardData, handle, *dx, *w, *c, *dy, {dx_data, w_data, dy_data}, algorithm, space, bytes, alpha,
        beta
    );
}
STAND_IN_API cudnnStatus_t cudnnConvolutionBackwardFilter(
    Handle* handle, const void* alpha, const Tensor* x, const void* x_data, const Tensor* dy, const void* dy_data,
    const ConvolutionDescriptor* c, int algorithm, void* space, size_t bytes, const void* beta, const Filter* dw,
    void* dw_data
) {
    return run(
        Direction::BackwardFilter, handle, *x, *dw, *c, *dy, {x_data, dw_data, dy_data}, algorithm, space, bytes,
        alpha, beta
    );
}

// What else programs may be linked against.
#define NOT_MODELLED(name)                                                                          \
    STAND_IN_API cudnnStatus_t name() { return refuse(CUDNN_STATUS_NOT_SUPPORTED, #name " is not modelled"); }
NOT_MODELLED(cudnnConvolutionBiasActivationForward)
NOT_MODELLED(cudnnActivationForward)
NOT_MODELLED(cudnnCreateActivationDescriptor)
NOT_MODELLED(cudnnSetActivationDescriptor)
NOT_MODELLED(cudnnCreatePoolingDescriptor)
NOT_MODELLED(cudnnSetPoolingNdDescriptor)
NOT_MODELLED(cudnnPoolingForward)
NOT_MODELLED(cudnnSoftmaxForward)
NOT_MODELLED(cudnnCreateReduceTensorDescriptor)
NOT_MODELLED(cudnnSetReduceTensorDescriptor)
NOT_MODELLED(cudnnDestroyReduceTensorDescriptor)
NOT_MODELLED(cudnnGetReductionWorkspaceSize)
NOT_MODELLED(cudnnGetReductionIndicesSize)
NOT_MODELLED(cudnnReduceTensor)
