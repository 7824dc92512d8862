//! Plots, as SVG.

use anyhow::{Result, anyhow};
use omniglot_turns::Unit;
use plotters::prelude::*;

use super::amount;
use crate::results::{Results, WASM_NATIVE};
use crate::workloads::PAPER;

const SIZE: (u32, u32) = (860, 420);
const FONT: &str = "sans-serif";

/// A line of a plot.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

impl Line {
    /// Returns a variant's ratios to plain FFI, by size.
    fn ratios(results: &Results, workload: &str, variant: &str) -> Self {
        let point = |size: usize| Some((size as f64, results.over_plain(workload, size, variant)?));
        let points = results.sizes(workload).into_iter().filter_map(point).collect();
        Self { name: variant.to_owned(), points }
    }

    /// Returns a variant's times, by size.
    fn times(results: &Results, workload: &str, variant: &str) -> Self {
        let point = |size: usize| Some((size as f64, results.median(workload, size, variant)?));
        let points = results.sizes(workload).into_iter().filter_map(point).collect();
        Self { name: variant.to_owned(), points }
    }

    /// Returns the paper's ratios to plain FFI, by size.
    fn paper(workload: &str) -> Self {
        let figures = PAPER.iter().filter(|figures| figures.workload == workload);
        let point = |plain, size, omniglot: f64| (size as f64, omniglot / plain);
        let points = figures
            .filter_map(|figures| Some(point(figures.plain?, figures.size, figures.omniglot)));
        Self { name: "the paper, keys".to_owned(), points: points.collect() }
    }
}

/// The summary plot: the overhead of libpng over plain FFI, by the size of the picture.
pub(super) fn overhead(results: &Results) -> Result<String> {
    over_plain(results, "libpng")
}

/// Plots a workload's overhead over plain FFI, by size, in all variants and in the paper.
pub(super) fn over_plain(results: &Results, workload: &str) -> Result<String> {
    let is_plain = |name: &str| ["native", WASM_NATIVE].contains(&name);
    let variants = results.variants(workload).into_iter().filter(|name| !is_plain(name));
    let mut lines: Vec<Line> =
        variants.map(|variant| Line::ratios(results, workload, variant)).collect();
    lines.push(Line::paper(workload));
    let title = format!("{workload}: time over plain FFI, by bytes");
    plot(&title, lines, &|ratio| format!("{ratio:.2} ×"))
}

/// Plots the time of an operation by a number that it should not depend on.
pub(super) fn by_number(results: &Results, workload: &str, what: &str) -> Result<String> {
    let variants = results.variants(workload).into_iter();
    let lines = variants.map(|variant| Line::times(results, workload, variant)).collect();
    plot(&format!("{workload}, by {what}"), lines, &|ns| amount(ns, Unit::Ns))
}

/// Returns the smallest and the largest value with a margin, or `None` if there are none.
fn range(values: impl Iterator<Item = f64> + Clone) -> Option<(f64, f64)> {
    let (low, high) = (values.clone().reduce(f64::min)?, values.reduce(f64::max)?);
    Some((low / 1.1, high * 1.1))
}

/// Plots lines on two logarithmic axes.
fn plot(title: &str, lines: Vec<Line>, label: &dyn Fn(f64) -> String) -> Result<String> {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let (Some(across), Some(up)) =
        (range(points().map(|point| point.0)), range(points().map(|point| point.1)))
    else {
        return Ok(String::new());
    };
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw(&area, title, &lines, (across, up), label).map_err(|error| anyhow!("{error}"))?;
    }
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;
type Ranges = ((f64, f64), (f64, f64));

fn draw(
    area: &Area<'_>,
    title: &str,
    lines: &[Line],
    (across, up): Ranges,
    label: &dyn Fn(f64) -> String,
) -> Drawn {
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 18))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(80)
        .build_cartesian_2d((across.0..across.1).log_scale(), (up.0..up.1).log_scale())?;
    chart
        .configure_mesh()
        .x_label_formatter(&|size| format!("{size:.0}"))
        .y_label_formatter(&|value| label(*value))
        .label_style((FONT, 13))
        .draw()?;
    for (index, line) in lines.iter().enumerate() {
        let colour = Palette99::pick(index).to_rgba();
        chart
            .draw_series(
                LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)).point_size(3),
            )?
            .label(&line.name)
            .legend(move |(x, y)| {
                PathElement::new(vec![(x, y), (x + 16, y)], colour.stroke_width(2))
            });
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.4))
        .position(SeriesLabelPosition::UpperRight)
        .label_font((FONT, 13))
        .draw()?;
    area.present()?;
    Ok(())
}

/// Plots the times of a workload's variants as bars on a logarithmic axis.
pub(super) fn bars(results: &Results, workload: &str, title: &str) -> Result<String> {
    let records: Vec<_> = results.of_workload(workload).collect();
    let Some((low, high)) = range(records.iter().map(|record| record.median)) else {
        return Ok(String::new());
    };
    let bars: Vec<(String, f64, Unit)> =
        records.iter().map(|record| (record.variant.clone(), record.median, record.unit)).collect();
    let mut svg = String::new();
    {
        let size = (SIZE.0, 70 + 26 * bars.len() as u32);
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw_bars(&area, title, &bars, (low / 2.0, high * 4.0))
            .map_err(|error| anyhow!("{error}"))?;
    }
    Ok(svg)
}

fn draw_bars(
    area: &Area<'_>,
    title: &str,
    bars: &[(String, f64, Unit)],
    (low, high): (f64, f64),
) -> Drawn {
    area.fill(&WHITE)?;
    let count = bars.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 18))
        .margin(10)
        .build_cartesian_2d((low..high).log_scale(), count..0.0)?;
    for (index, (name, value, unit)) in bars.iter().enumerate() {
        let top = index as f64;
        let colour = Palette99::pick(index).mix(0.5);
        let bar = Rectangle::new([(low, top + 0.1), (*value, top + 0.9)], colour.filled());
        chart.draw_series([bar])?;
        let text = format!("{name}  {}", amount(*value, *unit));
        chart.draw_series([Text::new(text, (low * 1.05, top + 0.25), (FONT, 14))])?;
    }
    area.present()?;
    Ok(())
}
