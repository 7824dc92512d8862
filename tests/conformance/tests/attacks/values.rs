//! Invalid enums and bools at every place where a value can be.

use omniglot::{Error, Result, Runtime};

use super::attack::{Api, Attack, Must, attack};
use super::hostile::{
    FlagCallback, Lamp, LampCallback, PANEL_PLACES, Panel, PanelCallback, Socket,
};

/// Bits that are invalid for `Lamp` and `bool`.
const BITS: [i32; 4] = [3, -1, 0x100_0003, i32::MIN | 2];

pub(crate) fn attacks<R: Runtime>() -> Vec<Attack<R>> {
    let mut all = results();
    for place in 0..PANEL_PLACES.cast_unsigned() {
        all.extend(in_panels(place));
    }
    all.extend(through_pointers());
    all.extend(to_callbacks());
    all.extend(noise());
    all
}

fn good_panel() -> Panel {
    let socket = Socket { used: true, lamp: Lamp::OFF };
    Panel {
        id: 1,
        lamp: Lamp::ON,
        lit: true,
        row: [Lamp::OFF, Lamp::BLINKING],
        bits: [true, false, true],
        sockets: [socket; 2],
    }
}

/// Runs an attack with each of the bits. All must end in the same way.
fn each(mut attempt: impl FnMut(i32) -> Result<bool>) -> Result<bool> {
    let mut last = Ok(true);
    for bits in BITS {
        last = attempt(bits);
        if !matches!(last, Err(Error::InvalidValue(_))) {
            return last;
        }
    }
    last
}

/// Returns a byte that is an invalid bool, whatever the number.
const fn no_bool(bits: i32) -> i32 {
    bits | 2
}

fn results<R: Runtime>() -> Vec<Attack<R>> {
    vec![
        attack("values::enum_result", Must::BeInvalid, |api, _| {
            each(|bits| api.lamp_of_bits(bits).map(|_| true))
        }),
        attack("values::bool_result", Must::EndSomehow, |api, _| {
            // A C compiler may reduce the bits to one; the host gets true or false.
            for bits in 0..=u8::MAX {
                match api.flag_of_bits(bits) {
                    Ok(flag) if u8::from(flag) == bits & 1 => {}
                    Err(Error::InvalidValue(invalid))
                        if invalid.value == i128::from(bits) && bits > 1 => {}
                    Ok(_) => return Ok(true),
                    Err(error) => return Err(error),
                }
            }
            Ok(false)
        }),
    ]
}

/// Attacks on one place in a struct: as a result, read, viewed, in a slice, copied, passed to a
/// callback.
fn in_panels<R: Runtime>(place: u32) -> Vec<Attack<R>> {
    let named = |way: &str| format!("values::{way}_with_place_{place}");
    let spoil =
        move |api: &mut Api<R>,
              bits,
              check: fn(&mut Api<R>, omniglot::SliceMut<Panel>) -> Result<bool>| {
            let panels = api.malloc::<Panel>(3)?;
            api.panels_into(panels, 3, place, no_bool(bits))?;
            let outcome = check(api, panels);
            api.free(panels)?;
            outcome
        };
    vec![
        attack(named("struct_result"), Must::BeInvalid, move |api, _| {
            each(|bits| api.spoiled_panel(place, no_bool(bits)).map(|_| true))
        }),
        attack(named("struct_read"), Must::BeInvalid, move |api, _| {
            each(|bits| spoil(api, bits, |api, panels| api.read(last(panels)?).map(|_| true)))
        }),
        attack(named("struct_view"), Must::BeInvalid, move |api, _| {
            each(|bits| spoil(api, bits, |api, panels| api.view(last(panels)?).map(|_| true)))
        }),
        attack(named("slice_view"), Must::BeInvalid, move |api, _| {
            each(|bits| spoil(api, bits, |api, panels| api.view_slice(panels).map(|_| true)))
        }),
        attack(named("slice_copy"), Must::BeInvalid, move |api, _| {
            each(|bits| {
                spoil(api, bits, |api, panels| {
                    api.read_into(panels, &mut [good_panel(); 3]).map(|()| true)
                })
            })
        }),
        attack(named("struct_to_callback"), Must::BeInvalid, move |api, _| {
            let mut ran = false;
            let called = api.with_callback::<PanelCallback, _>(
                &mut |_, panel| {
                    ran = true;
                    Ok(panel)
                },
                |api, function| api.call_with_panel(function, place, 7),
            )?;
            called.map(|()| ran)
        }),
    ]
}

fn last(panels: omniglot::SliceMut<Panel>) -> Result<omniglot::RefMut<Panel>> {
    panels.get(panels.len() - 1).ok_or(Error::WrongInstance)
}

fn through_pointers<R: Runtime>() -> Vec<Attack<R>> {
    vec![
        attack("values::enum_through_pointer", Must::BeInvalid, |api, _| {
            let lamp = api.alloc(Lamp::OFF)?;
            each(|bits| {
                api.lamp_into(&lamp, bits)?;
                api.read(&lamp).map(|_| true)
            })
        }),
        attack("values::bool_through_pointer", Must::BeInvalid, |api, _| {
            let flag = api.alloc(false)?;
            each(|bits| {
                api.flag_into(&flag, no_bool(bits) as u8)?;
                api.view(&flag).map(|_| true)
            })
        }),
        attack("values::struct_through_pointer", Must::BeInvalid, |api, _| {
            let panel = api.alloc(good_panel())?;
            each(|bits| {
                api.panel_into(&panel, 10, bits)?;
                api.copy_unvalidated(&panel)?.validate().map(|_| true)
            })
        }),
        attack("values::field_through_pointer", Must::BeInvalid, |api, _| {
            let panel = api.alloc(good_panel())?;
            each(|bits| {
                api.panel_into(&panel, 0, bits)?;
                api.read(panel.as_ref().field(Panel::LAMP)).map(|_| true)
            })
        }),
        attack("values::char_through_pointer", Must::BeInvalid, |api, _| {
            let text = api.alloc('x')?;
            let raw = api.upgrade_mut(text.as_mut().as_ptr().cast::<u32>())?;
            let mut last = Ok(true);
            for bits in [0xd800u32, 0xdfff, 0x11_0000, u32::MAX] {
                api.fill_at(raw.as_ptr().addr(), 4, 0)?;
                api.write(raw, bits)?;
                last = api.read(&text).map(|_| true);
                if last.is_ok() {
                    break;
                }
            }
            last
        }),
    ]
}

fn to_callbacks<R: Runtime>() -> Vec<Attack<R>> {
    vec![
        attack("values::enum_to_callback", Must::BeInvalid, |api, _| {
            let mut ran = false;
            let called = api.with_callback::<LampCallback, _>(
                &mut |_, lamp| {
                    ran = true;
                    Ok(lamp)
                },
                |api, function| api.call_with_lamp(function, 3),
            )?;
            called.map(|()| ran)
        }),
        attack("values::bool_to_callback", Must::EndSomehow, |api, _| {
            let mut seen = None;
            let called = api.with_callback::<FlagCallback, _>(
                &mut |_, flag| {
                    seen = Some(flag);
                    Ok(flag)
                },
                |api, function| api.call_with_flag(function, 3),
            )?;
            // A C compiler may reduce the bits to one.
            called.map(|()| seen != Some(true))
        }),
    ]
}

/// Structs of random bytes: nearly all are invalid, and valid ones were checked.
fn noise<R: Runtime>() -> Vec<Attack<R>> {
    vec![
        attack("values::noise_results", Must::Pass, |api, _| {
            let mut refused = 0;
            for seed in 0..1000 {
                match api.noise_panel(seed) {
                    Ok(panel) => touch(&panel),
                    Err(Error::InvalidValue(_)) => refused += 1,
                    Err(error) => return Err(error),
                }
            }
            Ok(refused == 0)
        }),
        attack("values::noise_in_memory", Must::Pass, |api, _| {
            let panels = api.malloc::<Panel>(10)?;
            let mut refused = 0;
            for seed in 0..1000 {
                api.noise_into(panels, 10 * size_of::<Panel>(), seed)?;
                match api.view_slice(panels) {
                    Ok(view) => view.iter().for_each(touch),
                    Err(Error::InvalidValue(_)) => refused += 1,
                    Err(error) => return Err(error),
                }
            }
            Ok(refused == 0)
        }),
    ]
}

/// Uses every value as Rust may. An enum or a bool with other bits would be noticed.
fn touch(panel: &Panel) {
    let lamps =
        [panel.lamp, panel.row[0], panel.row[1], panel.sockets[0].lamp, panel.sockets[1].lamp];
    let flags = [
        panel.lit,
        panel.bits[0],
        panel.bits[1],
        panel.bits[2],
        panel.sockets[0].used,
        panel.sockets[1].used,
    ];
    assert!(lamps.iter().all(|lamp| matches!(std::hint::black_box(*lamp) as u32, 0..=2)));
    assert!(flags.iter().all(|flag| u8::from(std::hint::black_box(*flag)) <= 1));
}
