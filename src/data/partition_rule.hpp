#pragma once

namespace gaisnet {

/// How training samples are dealt out to the start points of an edge.
enum class partition_kind {
    iid,
    dirichlet, ///< Label skew: each class is divided in proportions drawn from Dirichlet(alpha).
    quantity,  ///< Different amounts, in proportions drawn from Dirichlet(alpha); each amount is a sample of all.
    classes,   ///< Only some classes; see class_scope.
    domain,    ///< Each start point has a domain of its own.
};
enum class class_scope {
    client,           ///< Each start point sees `classes` of all classes; start points differ.
    all_start_points, ///< All see the same ones (`union`). The amount of data does not depend on how many.
};
struct partition_rule {
    partition_kind kind = partition_kind::iid;
    double alpha = 1.0;
    int classes = 1;
    class_scope scope = class_scope::client;
};

} // namespace gaisnet
