#pragma once

#include <any>
#include <functional>
#include <map>
#include <typeindex>
#include <utility>

namespace gaisnet {

/// Sections that files outside of the scenario bring: a tuning method or a codec with keys of its own.
///
///     struct toy_settings {
///         static constexpr section key{"toy", commands::emulating};
///         double scale = key.real("scale", "1", "factor", above(0));
///     };
///     const extra_section<toy_settings> keys_of_toy;
///
/// A scenario has one of each, read with its other sections: `scene.extra.get<toy_settings>()`.
class extra_sections {
public:
    extra_sections() {
        for (const auto& [type, make] : makers()) {
            made_.emplace(type, make());
        }
    }
    /// \throws std::bad_any_cast, std::out_of_range for a type that no extra_section has brought.
    template <typename Section>
    const Section& get() const {
        return std::any_cast<const Section&>(made_.at(typeid(Section)));
    }
    template <typename Section>
    void set(Section value) {
        made_.at(typeid(Section)) = std::move(value);
    }

private:
    template <typename Section>
    friend struct extra_section;
    static std::map<std::type_index, std::function<std::any()>>& makers() {
        static std::map<std::type_index, std::function<std::any()>> all;
        return all;
    }

    std::map<std::type_index, std::any> made_;
};

/// Adds a section before main begins.
template <typename Section>
struct extra_section {
    extra_section() {
        extra_sections::makers().try_emplace(typeid(Section), [] { return std::any(Section()); });
    }
};

} // namespace gaisnet
