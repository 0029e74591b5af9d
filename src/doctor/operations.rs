//! A few operations of every kind, for a device to show that it computes.

use candle_core::{DType, Device};
use harness_ops::random::Key;
use harness_ops::{
    ConvGeometry, Error, Result, Variable, avg_pool2, conv2d, gradient, instance_norm, leaky_relu, linear, mean_all,
    reshape, sqr,
};

/// Largest difference, relative to the largest number, that rounding explains where convolutions and products are made in
/// TF32: its ten bits, a few operations deep.
const TOLERANCE: f64 = 0.02;

/// Whether convolution, normalisation, activation, pooling, a linear layer and their gradients give the same numbers on
/// `device` as on the processor, in float32.
///
/// # Errors
/// The device fails (a kernel does not compile, a library is unusable), or computes something else.
pub(super) fn check(device: &Device) -> Result<()> {
    compare(&numbers(&Device::Cpu)?, &numbers(device)?)
}

fn compare(reference: &[Named], computed: &[Named]) -> Result<()> {
    for ((operation, reference), (_, computed)) in reference.iter().zip(computed) {
        let scale = reference.iter().fold(0f64, |most, value| most.max(value.abs()));
        let differences = reference.iter().zip(computed).map(|(a, b)| (a - b).abs());
        // Not a number is further off than anything.
        let worst = differences.fold(0f64, |worst, next| if next.is_nan() { f64::INFINITY } else { worst.max(next) });
        if reference.len() != computed.len() || worst > TOLERANCE * scale {
            let problem = format!("differs from the processor's by {worst:.3e}, with numbers up to {scale:.3e}");
            return Err(Error::Operands { operation, problem });
        }
    }
    Ok(())
}

/// What was computed, and its numbers.
type Named = (&'static str, Vec<f64>);

/// Outputs of a small network and the gradient of its input.
fn numbers(device: &Device) -> Result<Vec<Named>> {
    let random = |purpose, shape: &[usize]| -> Result<Variable> {
        let numbers = Key::new(1, purpose).normal(0, shape, DType::F32, &Device::Cpu)?;
        Ok(Variable::constant(numbers.to_device(device)?))
    };
    let x = Variable::leaf(random("x", &[2, 8, 16, 16])?.value().clone());
    let convolved = conv2d(&x, &random("kernel", &[8, 8, 3, 3])?, None, ConvGeometry::new(1, 1))?;
    let y = instance_norm(&convolved, &random("gain", &[8])?, &random("offset", &[8])?, None)?;
    let y = avg_pool2(&leaky_relu(&y, 0.2)?)?;
    let y = linear(&reshape(&y, &[2, 512])?, &random("weight", &[5, 512])?, &random("bias", &[5])?)?;
    let slope = gradient(&mean_all(&sqr(&y)?)?, &[&x])?;
    let results = [("a convolution", Some(&convolved)), ("a network", Some(&y)), ("a gradient", slope[0].as_ref())];
    let on_the_processor = |(name, result): (&'static str, Option<&Variable>)| -> Result<Named> {
        let Some(result) = result else { return Ok((name, Vec::new())) };
        let values = result.value().to_device(&Device::Cpu)?.flatten_all()?.to_dtype(DType::F64)?;
        Ok((name, values.to_vec1()?))
    };
    results.into_iter().map(on_the_processor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_equals_itself_and_errors_are_seen() {
        check(&Device::Cpu).unwrap();
        let reference = numbers(&Device::Cpu).unwrap();
        assert_eq!(reference.iter().map(|(_, numbers)| numbers.len()).collect::<Vec<_>>(), [4096, 10, 4096]);
        for which in 0..reference.len() {
            let mut wrong = reference.clone();
            wrong[which].1.iter_mut().for_each(|value| *value *= 1.1);
            let text = compare(&reference, &wrong).unwrap_err().to_string();
            assert!(text.starts_with(&format!("{}: differs", reference[which].0)), "{text}");
            wrong = reference.clone();
            wrong[which].1[0] = f64::NAN;
            assert!(compare(&reference, &wrong).is_err());
            wrong[which].1.clear();
            assert!(compare(&reference, &wrong).is_err());
        }
    }
}
