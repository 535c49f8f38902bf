#include "network/placing.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <optional>

namespace gaisnet {

namespace {

/// The recorded movement of a node, if there is one.
std::optional<trajectory> recorded_path(const scenario& scene, const std::string& name) {
    if (scene.mobility.paths) {
        if (const auto found = scene.mobility.paths->find(name); found != scene.mobility.paths->end()) {
            return trajectory(found->second);
        }
    }
    return std::nullopt;
}

} // namespace

/// Centre of an edge's cell; the cells form a square lattice. Without cells all edges serve the same area.
position placing::centre_of(int edge) const {
    if (scene_.link.access == access_kind::cell_free) {
        return {};
    }
    int side = 1;
    while (side * side < scene_.network.edges) {
        ++side;
    }
    const double step = scene_.network.edge_distance.value_or(2.0 * scene_.network.radius);
    return {step * (edge % side), step * (edge / side)};
}

position placing::place_of(const std::string& name, position otherwise) const {
    const auto* said = overrides_.node(name);
    return said && said->place ? *said->place : otherwise;
}

placing::region placing::region_of(const client_home& client) const {
    const auto centre = centre_of(client.edge);
    const double radius = scene_.network.radius;
    const auto* said = overrides_.node(client.name);
    const auto place = said ? said->place : std::nullopt;
    if (scene_.network.layout == layout_kind::list) {
        if (!place) {
            throw usage_error("network.layout = list: network.file gives no position of " + client.name);
        }
        return {*place, centre, radius};
    }
    if (scene_.network.layout == layout_kind::grid) {
        return {place.value_or(lattice_point(client.index, client.of, centre, radius)), centre, radius};
    }
    const double around = std::min(scene_.network.cluster_radius, radius);
    random_stream of_cluster(scene_.seed, "position.cluster", client.cluster_name);
    random_stream own(scene_.seed, "position", client.name);
    const auto middle = draw_in_disc(of_cluster, centre, radius - around);
    return {place.value_or(draw_in_disc(own, middle, around)), middle, around};
}

trajectory placing::of_client(const client_home& client) const {
    if (auto path = recorded_path(scene_, client.name)) {
        return *path;
    }
    const auto where = region_of(client);
    const auto& mobility = scene_.mobility;
    return mobility.kind == mobility_kind::waypoint
               ? trajectory(where.start, where.centre, where.radius_m, mobility.speed, mobility.pause, scene_.seed,
                            client.name)
               : trajectory(where.start);
}

std::vector<trajectory> placing::of_edge(int edge, const std::string& name) const {
    if (auto path = recorded_path(scene_, name)) {
        return {*path};
    }
    const auto centre = centre_of(edge);
    if (scene_.link.access != access_kind::cell_free) {
        return {trajectory(place_of(name, centre))};
    }
    std::vector<trajectory> points;
    for (int i = 0; i < scene_.link.access_points; ++i) {
        random_stream stream(scene_.seed, "position", name + ".ap" + std::to_string(i));
        points.emplace_back(draw_in_disc(stream, centre, scene_.network.radius));
    }
    return points;
}

trajectory placing::of_cloud(const std::string& name) const {
    auto path = recorded_path(scene_, name);
    return path ? *path : trajectory(place_of(name, {}));
}

} // namespace gaisnet
