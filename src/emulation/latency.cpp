#include "emulation/latency.hpp"

namespace gaisnet {

namespace {

using registered = const registration<latency_part>;
using registered_request = const registration<request_part>;

bool is_computation(event_kind kind) {
    return kind == event_kind::forward || kind == event_kind::backward || kind == event_kind::step;
}
bool is_smashed(event_kind kind) {
    return kind == event_kind::send_forward || kind == event_kind::send_gradient || kind == event_kind::send_label ||
           kind == event_kind::send_request || kind == event_kind::send_result;
}

registered part_delivery{
    {"delivery", 10, "delivery", "delivery of tunable modules to the clients",
     [](const event_row& event, std::uint32_t) { return event.kind == event_kind::send_modules_down; }}};
registered part_sensing{{"sensing", 20, "sensing", "sensing of samples",
                         [](const event_row& event, std::uint32_t) { return event.kind == event_kind::sense; }}};
registered part_compute{
    {"compute", 30, "compute, clients", "computation on clients",
     [](const event_row& event, std::uint32_t edge) { return is_computation(event.kind) && event.node != edge; }}};
registered part_d2d{
    {"d2d", 40, "smashed data, D2D", "smashed data from client to client",
     [](const event_row& event, std::uint32_t) { return is_smashed(event.kind) && event.link == link_class::d2d; }}};
registered part_cs{
    {"cs_smashed", 50, "smashed data, CS", "smashed data to and from an edge that is a stage of the chain",
     [](const event_row& event, std::uint32_t) { return is_smashed(event.kind) && event.link != link_class::d2d; }}};
registered part_upload{{"upload", 60, "upload",
                        "upload to the edge, of tunable modules (or samples: scheme = centralised)",
                        [](const event_row& event, std::uint32_t) {
                            return event.kind == event_kind::send_modules_up || event.kind == event_kind::send_samples;
                        }}};
registered part_edge{{"edge", 70, "compute, edge", "computation on the edge, aggregation included",
                      [](const event_row& event, std::uint32_t edge) {
                          return event.kind == event_kind::aggregate || event.kind == event_kind::evaluate ||
                                 (is_computation(event.kind) && event.node == edge);
                      }}};
registered part_wait{{"wait", 80, "waiting for deadline", "waiting for the deadline of round.wait",
                      [](const event_row& event, std::uint32_t) { return event.kind == event_kind::wait; }}};
registered part_cloud{{"cloud", 90, "cloud and other edges",
                       "average of all edges at the cloud, waiting for other edges included", nullptr,
                       /*only_when_used=*/true}};

registered_request request_sensing{{"sensing", 10, "sensing", "sensing of the sample, after those before it"}};
registered_request request_queue{{"queue", 20, "queue", "until the chain began with its batch"}};
registered_request request_delivery{{"delivery", 30, "waiting for modules", "a stage waited for its modules"}};
registered_request request_compute{{"compute", 40, "compute, clients", "computation on clients"}};
registered_request request_edge{{"edge", 50, "compute, edge", "computation on an edge that is a stage of the chain"}};
registered_request request_d2d{{"d2d", 60, "smashed data, D2D", "smashed data from client to client"}};
registered_request request_cs{{"cs_smashed", 70, "smashed data, CS", "smashed data to and from the edge"}};
registered_request request_result{{"result", 80, "result", "the result on its way to the requester"}};
registered_request request_busy{{"busy", 90, "busy chain", "waiting for devices and links busy with other batches"}};

} // namespace

std::size_t latency_part_of(const event_row& event, std::uint32_t edge) {
    const auto& parts = latency_parts::parts();
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (parts[i]->holds && parts[i]->holds(event, edge)) {
            return i;
        }
    }
    throw std::logic_error("internal error: an event that is part of no latency");
}

} // namespace gaisnet
