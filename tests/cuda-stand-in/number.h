// Element types and their rounding.
#pragma once
#include <cstdint>
#include <cstring>

namespace stand_in {

// The 16 upper bits of a float.
struct bf16 {
    uint16_t bits;

    bf16() = default;
    // To the nearest; to the even one of two that are equally near. A NaN stays one.
    bf16(float value) {
        uint32_t whole;
        memcpy(&whole, &value, sizeof whole);
        if (value != value) {
            bits = uint16_t(whole >> 16 | 0x40);
        } else {
            bits = uint16_t((whole + 0x7fff + (whole >> 16 & 1)) >> 16);
        }
    }
    operator float() const {
        const uint32_t whole = uint32_t(bits) << 16;
        float value;
        memcpy(&value, &whole, sizeof value);
        return value;
    }
};

// As tensor cores take a float in TF32 mode: ten bits of mantissa, to the nearest, ties away from zero.
inline float tf32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7f800000) == 0x7f800000) return value;
    bits = (bits + 0x1000) & ~0x1fffu;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// From double to an element, by way of float where the device sums in float.
template <typename T>
T rounded(double value) {
    return T(float(value));
}
template <>
inline double rounded<double>(double value) {
    return value;
}

enum class Element { Float, Double, Bf16, Unknown };

inline size_t bytes_of(Element element) {
    return element == Element::Double ? 8 : element == Element::Float ? 4 : 2;
}

// Calls `f` with a value of the element type.
template <typename F>
void with_element(Element element, F f) {
    if (element == Element::Float) f(float());
    if (element == Element::Double) f(double());
    if (element == Element::Bf16) f(bf16(0.0f));
}

}  // namespace stand_in
