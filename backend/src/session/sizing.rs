//! The size policy: whose window gives the size of a session's terminal.

use limpet_shared::{Role, Sizing, ViewerId, Winsize};

/// The window of an attached viewer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) viewer: ViewerId,
    pub(super) role: Role,
    /// Size of the terminal that fits into the window.
    pub(super) size: Winsize,
    /// Set for the primary viewer, but not for one that stands in for it.
    pub(super) is_primary: bool,
}

/// Returns the size that is to be in force, and the viewer whose window gives it, if it is a single
/// one's; `None` if the size is to stay as it is. `windows` are in the order of their last use.
///
/// The size stays when the viewers that decide on it are gone: neither a reloaded page nor a short
/// break of a connection must resize the program's terminal.
pub(super) fn in_force(sizing: Sizing, windows: &[Window]) -> Option<(Winsize, Option<ViewerId>)> {
    let writers = || windows.iter().filter(|window| window.role.may_write());
    let one = |window: &Window| (window.size, Some(window.viewer));
    match sizing {
        Sizing::Primary | Sizing::Latest => writers().find(|window| window.is_primary).map(one),
        Sizing::Owner => writers().rfind(|window| window.role == Role::Owner).map(one),
        Sizing::Smallest => {
            let size = writers().map(|window| window.size).reduce(smaller)?;
            Some((size, writers().find(|window| window.size == size).map(|window| window.viewer)))
        }
        Sizing::Fixed => None,
    }
}

/// Returns the largest size that fits into both. Its cells are as large as those of `a`.
fn smaller(a: Winsize, b: Winsize) -> Winsize {
    let (cols, rows) = (a.cols.min(b.cols), a.rows.min(b.rows));
    if (cols, rows) == (b.cols, b.rows) {
        return b;
    }
    let pixels = |pixels: u16, cells: u16, of: u16| {
        u16::try_from(u32::from(pixels) * u32::from(cells) / u32::from(of.max(1))).unwrap_or(u16::MAX)
    };
    Winsize { cols, rows, xpixel: pixels(a.xpixel, cols, a.cols), ypixel: pixels(a.ypixel, rows, a.rows) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DESKTOP: Winsize = Winsize { cols: 160, rows: 40, xpixel: 1600, ypixel: 800 };
    const PHONE: Winsize = Winsize { cols: 40, rows: 60, xpixel: 320, ypixel: 960 };

    fn viewer(number: u8) -> ViewerId {
        ViewerId::from_random([number; 16])
    }

    fn window(number: u8, role: Role, size: Winsize, is_primary: bool) -> Window {
        Window { viewer: viewer(number), role, size, is_primary }
    }

    #[test]
    fn a_phone_does_not_shrink_the_desktop_without_being_primary() {
        let mut windows = [window(1, Role::Owner, DESKTOP, true), window(2, Role::Owner, PHONE, false)];
        for sizing in [Sizing::Primary, Sizing::Latest] {
            assert_eq!(in_force(sizing, &windows), Some((DESKTOP, Some(viewer(1)))));
        }
        (windows[0].is_primary, windows[1].is_primary) = (false, true);
        assert_eq!(in_force(Sizing::Primary, &windows), Some((PHONE, Some(viewer(2)))));
        assert_eq!(in_force(Sizing::Primary, &windows[..1]), None, "who is left did not ask for anything");
    }

    #[test]
    fn the_owner_counts_before_those_who_were_invited() {
        let windows = [window(1, Role::Owner, DESKTOP, false), window(2, Role::Writer, PHONE, true)];
        assert_eq!(in_force(Sizing::Owner, &windows), Some((DESKTOP, Some(viewer(1)))));
        assert_eq!(in_force(Sizing::Owner, &windows[1..]), None);
    }

    #[test]
    fn the_smallest_is_what_all_windows_hold() {
        let windows = [window(1, Role::Owner, DESKTOP, true), window(2, Role::Writer, PHONE, false)];
        let both = Winsize { cols: 40, rows: 40, xpixel: 400, ypixel: 800 };
        assert_eq!(in_force(Sizing::Smallest, &windows), Some((both, None)));
        assert_eq!(in_force(Sizing::Smallest, &windows[..1]), Some((DESKTOP, Some(viewer(1)))));
    }

    fn windows() -> impl Strategy<Value = Vec<Window>> {
        let role = prop_oneof![Just(Role::Owner), Just(Role::Writer), Just(Role::Reader)];
        let one = (any::<u8>(), role, 1..300_u16, 1..100_u16, any::<bool>());
        let one = one.prop_map(|(number, role, cols, rows, is_primary)| {
            window(number, role, Winsize::cells(cols, rows), is_primary)
        });
        prop::collection::vec(one, 0..6)
    }

    proptest! {
        #[test]
        fn readers_never_count(windows in windows(), choice in 0..Sizing::ALL.len()) {
            let writers: Vec<_> = windows.iter().copied().filter(|window| window.role.may_write()).collect();
            prop_assert_eq!(in_force(Sizing::ALL[choice], &windows), in_force(Sizing::ALL[choice], &writers));
        }

        #[test]
        fn it_is_some_window_s_size_or_what_fits_into_all(windows in windows(), choice in 0..Sizing::ALL.len()) {
            if let Some((size, by)) = in_force(Sizing::ALL[choice], &windows) {
                let own = |window: &Window| Some(window.viewer) == by && window.size == size;
                let fits = |window: &Window| {
                    !window.role.may_write() || window.size.cols >= size.cols && window.size.rows >= size.rows
                };
                prop_assert!(by.is_none_or(|_| windows.iter().any(own)));
                prop_assert!(by.is_some() || windows.iter().all(fits));
            }
        }
    }
}
