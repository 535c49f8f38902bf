#pragma once

#include "base/error.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gaisnet {

/// All entries of one kind that a setting chooses by name: tuning methods, path loss models, placements. A file adds an
/// entry with a constant of its own, and no other file has to know:
///
///     const registration<placement_entry> by_node{{"node", place_by_node}};
///
/// \tparam Entry has a member `name`, text.
template <typename Entry>
class registry {
public:
    /// Sorted by name. Complete when main begins.
    static std::vector<const Entry*> all() {
        std::vector<const Entry*> list;
        for (const auto& [name, entry] : entries()) {
            list.push_back(&entry);
        }
        return list;
    }
    /// Null when there is none of that name.
    static const Entry* find(std::string_view name) {
        const auto found = entries().find(name);
        return found == entries().end() ? nullptr : &found->second;
    }
    /// \throws usage_error naming those that exist. \param key the setting that names it.
    static const Entry& at(std::string_view name, std::string_view key) {
        const auto* entry = find(name);
        if (!entry) {
            throw usage_error(std::string(key) + " = " + std::string(name) + " is not known; accepted: " + names());
        }
        return *entry;
    }
    /// "adapter, full, head"
    static std::string names() {
        std::string list;
        for (const auto& [name, entry] : entries()) {
            list += (list.empty() ? "" : ", ") + name;
        }
        return list;
    }
    /// \throws logic_failure when the name is taken.
    static void add(Entry entry) {
        const std::string name = entry.name;
        ensure(entries().try_emplace(name, std::move(entry)).second, "a name is registered once");
    }

private:
    static std::map<std::string, Entry, std::less<>>& entries() {
        static std::map<std::string, Entry, std::less<>> all;
        return all;
    }
};

/// Adds an entry to its registry before main begins.
template <typename Entry>
struct registration {
    explicit registration(Entry entry) { registry<Entry>::add(std::move(entry)); }
};

} // namespace gaisnet
